"""The Gateway API through real Envoys: a managed gateway, its routes, and routes of sidecars."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from meshcourse.embedded.kube import refs
from tests.integration.istio import live
from tests.integration.istio.authority import Authority
from tests.unit.istio import gateways

NETWORK = "127.151"
pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTENERS = """
[{name: http, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}},
 {name: https, port: 8443, protocol: HTTPS, hostname: tls.example,
  tls: {certificateRefs: [{name: cert}]}},
 {name: pass, port: 8444, protocol: TLS, hostname: pass.example, tls: {mode: Passthrough}},
 {name: tcp, port: 9100, protocol: TCP}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """A gateway made of the Gateway API, `web` v1 and v2 with a service each, TCP `echo`."""
    folder: Path = tmp_path_factory.mktemp("gateway-api")
    async with live.running(folder, NETWORK) as found:
        for version in ("v1", "v2"):
            found.mesh.service(f"web-{version}", selector={"app": "web", "version": version})
        found.mesh.service("web")
        found.mesh.service("echo", 9000, port_name="tcp")
        for version in ("v1", "v2"):
            await found.pod("web", version)
        await found.pod("echo", port=9000, tcp=True)
        gateways.apply_gateway(found.mesh, LISTENERS)
        await found.adopt(gateways.deploy(found.mesh), "default")
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    """The mesh, with whatever a test applied taken away again."""
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    mesh.seen.clear()
    await mesh.push()


def route(rules: str, name: str = "r", kind: str = "HTTPRoute", hosts: str = "[a.example]") -> str:
    version = "v1alpha2" if kind == "TCPRoute" else "v1"
    names = "" if kind == "TCPRoute" else f"hostnames: {hosts}, "
    return f"""
apiVersion: gateway.networking.k8s.io/{version}
kind: {kind}
metadata: {{name: {name}}}
spec: {{parentRefs: [{{name: edge}}], {names}rules: {rules}}}
"""


def address(mesh: live.Live) -> str:
    name = next(name for name in mesh.pods if name.startswith("edge-istio"))
    return mesh.mesh.snapshot().workloads[mesh.pods[name]].addresses.pod_ip


async def call(
    mesh: live.Live, path: str = "/", host: str = "a.example", port: int = 8080, **more: Any
) -> live.Answer:
    headers = {"host": host, **more.pop("headers", {})}
    scheme = "https" if "ssl" in more else "http"
    if scheme == "https":
        more["server_hostname"] = host
    return await mesh.fetch(f"{scheme}://{address(mesh)}:{port}{path}", headers=headers, **more)


WEB = "backendRefs: [{name: web, port: 9080}]"
ONE, TWO = "{name: web-v1, port: 9080}", "{name: web-v2, port: 9080}"


async def test_matches_decide_by_precedence_not_by_order(clean: live.Live) -> None:
    rules = f"""
    [{{matches: [{{path: {{value: /}}}}], backendRefs: [{ONE}]}},
     {{matches: [{{path: {{value: /p}}}}], backendRefs: [{TWO}]}},
     {{matches: [{{path: {{type: Exact, value: /p/exact}}}}], backendRefs: [{ONE}]}},
     {{matches: [{{path: {{type: RegularExpression, value: '/r/[0-9]+'}}}}], backendRefs: [{TWO}]}},
     {{matches: [{{headers: [{{name: x-v, value: two}}]}}], backendRefs: [{TWO}]}},
     {{matches: [{{queryParams: [{{name: v, value: two}}]}}], backendRefs: [{TWO}]}},
     {{matches: [{{method: PUT}}], backendRefs: [{TWO}]}}]
    """
    await clean.apply(route(rules))
    for path, version in (
        ("/", "v1"),
        ("/p", "v2"),
        ("/p/sub", "v2"),
        ("/pp", "v1"),
        ("/p/exact", "v1"),
        ("/x?v=two", "v2"),
        ("/x?v=one", "v1"),
    ):
        assert (await call(clean, path)).version == version, path
    assert (await call(clean, headers={"x-v": "two"})).version == "v2"
    assert (await call(clean, method="PUT")).version == "v2"
    # A regular expression counts less than the prefix "/".
    assert (await call(clean, "/r/1")).version == "v1"


async def test_weights(clean: live.Live) -> None:
    one, two = "{name: web-v1, port: 9080, weight: 4}", "{name: web-v2, port: 9080, weight: 1}"
    await clean.apply(route(f"[{{backendRefs: [{one}, {two}]}}]"))
    found = Counter([(await call(clean)).version for _ in range(200)])
    assert 20 <= found["v2"] <= 65


async def test_rewrites_and_redirects(clean: live.Live) -> None:
    def filtered(path: str, kind: str, setting: str, backend: str = WEB) -> str:
        field = kind[0].lower() + kind[1:] if kind != "URLRewrite" else "urlRewrite"
        match = f"matches: [{{path: {{value: {path}}}}}]"
        return f"{{{match}, filters: [{{type: {kind}, {field}: {setting}}}], {backend}}}"

    prefix = "{path: {type: ReplacePrefixMatch, replacePrefixMatch: %s}}"
    full = "{path: {type: ReplaceFullPath, replaceFullPath: /full}, hostname: other.host}"
    moved_to = "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /there}, statusCode: 302}"
    rules = [
        filtered("/strip", "URLRewrite", prefix % "/"),
        filtered("/swap", "URLRewrite", prefix % "/new"),
        filtered("/full", "URLRewrite", full),
        filtered("/to-https", "RequestRedirect", "{scheme: https, statusCode: 301}", ""),
        filtered("/moved", "RequestRedirect", moved_to, ""),
    ]
    await clean.apply(route(f"[{', '.join(rules)}]".replace(", }", "}")))
    assert (await call(clean, "/strip/a?b=c")).body["path"] == "/a?b=c"
    assert (await call(clean, "/strip")).body["path"] == "/"
    assert (await call(clean, "/swap/a")).body["path"] == "/new/a"
    full_answer = await call(clean, "/full/and/more")
    assert full_answer.body["path"] == "/full"
    assert full_answer.body["headers"]["host"] == "other.host"
    to_https = await call(clean, "/to-https")
    assert (to_https.status, to_https.headers["location"]) == (301, "https://a.example/to-https")
    moved = await call(clean, "/moved/x")
    assert (moved.status, moved.headers["location"]) == (302, "http://a.example:8080/there/x")


async def test_header_filters_of_rules_and_backends(clean: live.Live) -> None:
    rule_filters = (
        "[{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: s}],"
        " remove: [x-gone]}},"
        " {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-r, value: r}]}}]"
    )
    own = "[{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-b, value: b}]}}]"
    backend = f"{{name: web, port: 9080, filters: {own}}}"
    await clean.apply(route(f"[{{filters: {rule_filters}, backendRefs: [{backend}]}}]"))
    answer = await call(clean, headers={"x-set": "old", "x-gone": "1"})
    headers = answer.body["headers"]
    assert (headers["x-set"], headers["x-b"], answer.headers["x-r"]) == ("s", "b", "r")
    assert "x-gone" not in headers


async def test_timeouts_and_retries(clean: live.Live) -> None:
    rules = f"""
    [{{matches: [{{path: {{value: /slow}}}}], timeouts: {{request: 300ms}}, {WEB}}},
     {{matches: [{{path: {{value: /retry}}}}], retry: {{attempts: 2, codes: [503]}}, {WEB}}}]
    """
    await clean.apply(route(rules))
    assert (await call(clean, "/slow", headers={"x-sleep": "2"})).status == 504
    clean.seen.clear()
    assert (await call(clean, "/retry", headers={"x-answer": "503"})).status == 503
    assert len(clean.seen) == 3


async def test_a_mirror_gets_a_copy(clean: live.Live) -> None:
    mirror = f"[{{type: RequestMirror, requestMirror: {{backendRef: {TWO}}}}}]"
    await clean.apply(route(f"[{{filters: {mirror}, backendRefs: [{ONE}]}}]"))
    clean.seen.clear()
    assert (await call(clean)).version == "v1"
    deadline = asyncio.get_running_loop().time() + 5
    while len(clean.seen) < 2 and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)
    assert sorted(pod.rpartition("-5d8f")[0] for pod, _, _ in clean.seen) == ["web-v1", "web-v2"]


async def test_cors(clean: live.Live) -> None:
    cors = "{allowOrigins: ['https://*.good'], allowMethods: [GET], maxAge: 7}"
    await clean.apply(route(f"[{{filters: [{{type: CORS, cors: {cors}}}], {WEB}}}]"))
    preflight = {"origin": "https://a.good", "access-control-request-method": "GET"}
    answer = await call(clean, method="OPTIONS", headers=preflight)
    assert answer.headers["access-control-allow-origin"] == "https://a.good"
    assert answer.headers["access-control-max-age"] == "7"
    other = await call(clean, headers={"origin": "https://a.bad"})
    assert "access-control-allow-origin" not in other.headers


async def test_missing_backends_answer_500_and_none_404(clean: live.Live) -> None:
    rules = """
    [{matches: [{path: {value: /nobody}}], backendRefs: [{name: nobody, port: 80}]},
     {matches: [{path: {value: /zero}}], backendRefs: [{name: web, port: 9080, weight: 0}]},
     {matches: [{path: {value: /denied}}], backendRefs: [{name: x, namespace: other, port: 80}]},
     {matches: [{path: {value: /none}}]}]
    """
    await clean.apply(route(rules))
    found = [(await call(clean, f"/{one}")).status for one in ("nobody", "zero", "denied", "none")]
    assert found == [500, 500, 500, 404]
    assert (await call(clean, host="b.example")).status == 404


async def test_grpc_routes_match_methods(clean: live.Live) -> None:
    rules = f"""
    [{{matches: [{{method: {{service: a.B, method: C}}}}], backendRefs: [{ONE}]}},
     {{matches: [{{method: {{service: a.B}}}}], backendRefs: [{TWO}]}}]
    """
    await clean.apply(route(rules, kind="GRPCRoute"))
    assert (await call(clean, "/a.B/C", method="POST")).version == "v1"
    assert (await call(clean, "/a.B/D", method="POST")).version == "v2"
    assert (await call(clean, "/a.X/C", method="POST")).status == 404


async def test_tls_is_terminated_with_the_gateways_own_secret(clean: live.Live) -> None:
    authority = Authority()
    certificate, key = authority.leaf("tls.example")
    clean.mesh.add(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "cert", "namespace": "default"},
            "type": "kubernetes.io/tls",
            "data": {
                name: base64.b64encode(text.encode()).decode()
                for name, text in (("tls.crt", certificate), ("tls.key", key))
            },
        }
    )
    await clean.apply(route(f"[{{{WEB}}}]", hosts="[tls.example]"))
    answer = await call(clean, host="tls.example", port=8443, ssl=authority.client())
    assert answer.status == 200


async def test_tcp_routes(clean: live.Live) -> None:
    await clean.apply(route("[{backendRefs: [{name: echo, port: 9000}]}]", kind="TCPRoute"))
    assert await clean.line(address(clean), 9100, "hello") == "v1 hello"


async def test_a_service_as_parent_splits_the_calls_of_sidecars(clean: live.Live) -> None:
    parents = '[{group: "", kind: Service, name: web}]'
    await clean.apply(
        f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: mesh}}
spec:
  parentRefs: {parents}
  rules:
  - matches: [{{headers: [{{name: x-v, value: two}}]}}]
    backendRefs: [{TWO}]
  - backendRefs: [{ONE}]
"""
    )
    pod = next(name for name in clean.pods if name.startswith("web-v2"))
    plain = [(await clean.get(pod, "http://web:9080/")).version for _ in range(4)]
    assert plain == ["v1"] * 4
    assert (await clean.get(pod, "http://web:9080/", headers={"x-v": "two"})).version == "v2"


async def test_a_policy_for_the_gateway(clean: live.Live) -> None:
    await clean.apply(
        route(f"[{{{WEB}}}]")
        + """---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]
  action: DENY
  rules: [{to: [{operation: {paths: [/admin]}}]}]
"""
    )
    assert (await call(clean, "/admin")).status == 403
    assert (await call(clean, "/")).status == 200


async def test_the_mesh_has_objects(mesh: live.Live) -> None:
    assert len(mesh.mesh.objects[refs.K8S_GATEWAYS]) == 1
