"""The fields of the Gateway API that test_gateway_api leaves out, through real Envoys."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istio.authority import Authority
from tests.unit.istio import gateways

NETWORK = "127.153"
pytestmark = pytest.mark.asyncio(loop_scope="module")
LISTENERS = """
[{name: http, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}},
 {name: same, port: 8081, protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}},
 {name: some, port: 8082, protocol: HTTP,
  allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: blue}}}}},
 {name: expr, port: 8083, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector,
  selector: {matchExpressions: [{key: team, operator: In, values: [blue, green]}]}}}},
 {name: grpc, port: 8084, protocol: HTTP,
  allowedRoutes: {kinds: [{group: gateway.networking.k8s.io, kind: GRPCRoute}]}},
 {name: pass, port: 8444, protocol: TLS, hostname: pass.example, tls: {mode: Passthrough}},
 {name: tcp, port: 9100, protocol: TCP, allowedRoutes: {namespaces: {from: All}}},
 {name: tcp-b, port: 9101, protocol: TCP},
 {name: https, port: 8443, protocol: HTTPS, hostname: tls.example, tls: {options:
  {gateway.istio.io/tls-cipher-suites: ECDHE-ECDSA-AES256-GCM-SHA384},
  certificateRefs: [{group: "", kind: Secret, name: cert, namespace: other}]}}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """A gateway with many listeners in front of `web` v1 and v2, `far` (another namespace), TCP `echo`."""
    folder: Path = tmp_path_factory.mktemp("gateway-api-fields")
    async with live.running(folder, NETWORK) as found:
        labels = {"name": "other", "labels": {"team": "blue"}}
        found.mesh.add({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
        for version in ("v1", "v2"):
            found.mesh.service(f"web-{version}", selector={"app": "web", "version": version})
            found.mesh.service(
                f"echo-{version}", 9000, port_name="tcp", selector={"app": f"e{version}"}
            )
        found.mesh.service("web")
        found.mesh.service("far", namespace="other")
        found.mesh.service(
            "far-echo", 9000, port_name="tcp", namespace="other", selector={"app": "e3"}
        )
        for version in ("v1", "v2"):
            await found.pod("web", version)
            await found.pod(f"e{version}", version, port=9000, tcp=True)
        await found.pod("far", namespace="other")
        await found.pod("e3", "v3", port=9000, tcp=True, namespace="other")
        gateways.apply_gateway(found.mesh, LISTENERS)
        await found.adopt(gateways.deploy(found.mesh), "default")
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    mesh.seen.clear()
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


ONE, TWO = "{name: web-v1, port: 9080}", "{name: web-v2, port: 9080}"


def route(
    rules: str,
    *,
    parent: str = "",
    kind: str = "HTTPRoute",
    name: str = "r",
    namespace: str = "default",
) -> str:
    version = "v1alpha2" if kind == "TCPRoute" else "v1"
    parent = parent or "{name: edge, sectionName: http}"
    hosts = "hostnames: [pass.example], " if kind == "TLSRoute" else ""
    return f"""---
apiVersion: gateway.networking.k8s.io/{version}
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{parentRefs: [{parent}], {hosts}rules: {rules}}}
"""


def grant(kind: str, to: str, *, group: str = "gateway.networking.k8s.io", name: str = "g") -> str:
    """Objects of a kind in `default` may refer to what is in `other`."""
    return f"""---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {{name: {name}, namespace: other}}
spec:
  from: [{{group: {group}, kind: {kind}, namespace: default}}]
  to: [{to}]
"""


def address(mesh: live.Live) -> str:
    name = mesh.named("edge-istio")
    return mesh.mesh.snapshot().workloads[mesh.pods[name]].addresses.pod_ip


async def call(mesh: live.Live, path: str = "/", port: int = 8080, **more: Any) -> live.Answer:
    headers = {"host": "a.example", **more.pop("headers", {})}
    return await mesh.fetch(f"http://{address(mesh)}:{port}{path}", headers=headers, **more)


async def status(mesh: live.Live, port: int) -> int:
    """The status at a port, 0 if the gateway does not listen there."""
    try:
        return (await call(mesh, port=port)).status
    except aiohttp.ClientError:
        return 0


async def test_parts_of_parents_and_who_may_attach(clean: live.Live) -> None:
    to_far = "[{backendRefs: [{name: far, port: 9080}]}]"
    any_listener = (
        "{group: gateway.networking.k8s.io, kind: Gateway, name: edge, namespace: default}"
    )
    await clean.apply(route(to_far, parent=any_listener, namespace="other"))
    found = [await status(clean, port) for port in (8080, 8081, 8082, 8083)]
    assert found == [200, 404, 200, 200]
    await clean.apply(route(to_far, parent=any_listener, namespace="istio-system"))
    for field, port in (("sectionName: some", 8082), ("port: 8083", 8083)):
        text = any_listener[:-1] + f", {field}}}"
        await clean.apply(route(to_far, parent=text, namespace="other"))
        found = [await status(clean, one) for one in (8080, 8082, 8083)]
        assert [one == 200 for one in found] == [one == port for one in (8080, 8082, 8083)]


async def test_kinds_that_a_listener_takes(clean: live.Live) -> None:
    parent = "{name: edge, sectionName: grpc}"
    rules = f"[{{backendRefs: [{ONE}]}}]"
    await clean.apply(route(rules, parent=parent))
    assert await status(clean, 8084) == 404
    await clean.apply(route(rules, parent=parent, kind="GRPCRoute", name="g"))
    assert await status(clean, 8084) == 200


async def test_expressions_for_headers_and_parameters(clean: live.Live) -> None:
    header = "{matches: [{headers: [{type: RegularExpression, name: x-v, value: 't.o'}]}]"
    query = "{matches: [{queryParams: [{type: RegularExpression, name: v, value: 't.o'}]}]"
    grpc = "{matches: [{method: {type: RegularExpression, service: 'a[.].+', method: 'M'}}]"
    await clean.apply(
        route(
            f"[{header}, backendRefs: [{TWO}]}}, {query}, backendRefs: [{TWO}]}}, {{backendRefs: [{ONE}]}}]"
        )
        + route(
            f"[{grpc}, backendRefs: [{TWO}]}},"
            f" {{matches: [{{headers: [{{type: Exact, name: x-g, value: one}}]}}], backendRefs: [{ONE}]}},"
            f" {{matches: [{{headers: [{{type: RegularExpression, name: x-g, value: 't.*'}}]}}],"
            f" backendRefs: [{TWO}]}}]",
            kind="GRPCRoute",
            name="g",
            parent="{name: edge, sectionName: grpc}",
        )
    )
    assert (await call(clean, headers={"x-v": "two"})).version == "v2"
    assert (await call(clean, "/?v=two")).version == "v2"
    assert (await call(clean, "/?v=one", headers={"x-v": "one"})).version == "v1"
    assert (await call(clean, "/a.B/M", 8084, method="POST")).version == "v2"
    assert (await call(clean, "/b.B/M", 8084, method="POST")).status == 404
    for value, version in (("one", "v1"), ("two", "v2")):
        answer = await call(clean, "/z/Z", 8084, method="POST", headers={"x-g": value})
        assert answer.version == version


HEADERS = (
    "{type: RequestHeaderModifier, requestHeaderModifier:"
    " {set: [{name: x-set, value: s}], add: [{name: x-add, value: a}], remove: [x-gone]}},"
    " {type: ResponseHeaderModifier, responseHeaderModifier:"
    " {set: [{name: x-rset, value: s}], add: [{name: x-radd, value: a}], remove: [x-hidden]}}"
)


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
async def test_headers_of_rules_and_backends(clean: live.Live, kind: str) -> None:
    listener, port = ("http", 8080) if kind == "HTTPRoute" else ("grpc", 8084)
    matching = {
        "HTTPRoute": "matches: [{path: {value: /S/%s}}]",
        "GRPCRoute": "matches: [{method: {service: S, method: %s}}]",
    }[kind]
    backend = f"{{group: '', kind: Service, {ONE[1:-1]}, weight: 1, filters: [{HEADERS}]}}"
    rules = (
        f"[{{name: named-rule, {matching % 'rule'}, filters: [{HEADERS}], backendRefs: [{ONE}]}},"
        f" {{{matching % 'backend'}, backendRefs: [{backend}]}}]"
    )
    await clean.apply(route(rules, kind=kind, parent=f"{{name: edge, sectionName: {listener}}}"))
    for path in ("/S/rule", "/S/backend"):
        headers = {"x-gone": "1", "x-show": "x-hidden=1", "x-set": "0"}
        answer = await call(clean, path, port, method="POST", headers=headers)
        got = answer.body["headers"]
        assert (got["x-set"], got["x-add"]) == ("s", "a")
        assert "x-gone" not in got
        assert (answer.headers["x-rset"], answer.headers["x-radd"]) == ("s", "a")
        assert "x-hidden" not in answer.headers
    dump = clean.plane.admin(
        clean.named("edge-istio"), "/config_dump?resource=dynamic_route_configs"
    )
    assert '"named-rule"' in dump.decode()


async def test_more_of_redirects_cors_timeouts_and_retries(clean: live.Live) -> None:
    to = (
        "{hostname: new.example, port: 8099, path: {type: ReplaceFullPath, replaceFullPath: /full}}"
    )
    cors = (
        "{allowOrigins: ['http://good.example'], allowCredentials: true, allowHeaders: [x-a],"
        " exposeHeaders: [x-b]}"
    )
    await clean.apply(
        route(
            "[{matches: [{path: {value: /moved}}], filters: [{type: RequestRedirect, requestRedirect: "
            f"{to}}}]}},"
            f" {{matches: [{{path: {{value: /cors}}}}], filters: [{{type: CORS, cors: {cors}}}],"
            f" backendRefs: [{ONE}]}},"
            f" {{matches: [{{path: {{value: /slow}}}}], timeouts: {{backendRequest: 200ms}},"
            f" backendRefs: [{ONE}]}},"
            f" {{matches: [{{path: {{value: /again}}}}], retry: {{attempts: 2, codes: [503], backoff: 400ms}},"
            f" backendRefs: [{ONE}]}}]"
        )
    )
    moved = await call(clean, "/moved/x")
    assert moved.headers["location"] == "http://new.example:8099/full"
    asked = {"origin": "http://good.example", "access-control-request-method": "GET"}
    preflight = await call(clean, "/cors", method="OPTIONS", headers=asked)
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert preflight.headers["access-control-allow-headers"] == "x-a"
    plain = await call(clean, "/cors", headers={"origin": "http://good.example"})
    assert plain.headers["access-control-expose-headers"] == "x-b"
    assert (await call(clean, "/slow", headers={"x-sleep": "2"})).status == 504
    loop = asyncio.get_running_loop()

    async def timed() -> float:
        began = loop.time()
        assert (await call(clean, "/again", headers={"x-answer": "503"})).status == 503
        return loop.time() - began

    # Intervals are drawn between nothing and the backoff (then three times it).
    assert max(await asyncio.gather(*(timed() for _ in range(8)))) > 0.3


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
async def test_shares_and_places_of_mirrors(clean: live.Live, kind: str) -> None:
    listener, port = ("http", 8080) if kind == "HTTPRoute" else ("grpc", 8084)
    far = "backendRef: {group: '', kind: Service, name: far, namespace: other, port: 9080}"
    parent = f"{{name: edge, sectionName: {listener}}}"
    for share, copies in (
        ("percent: 0", 0),
        ("fraction: {numerator: 0, denominator: 7}", 0),
        ("percent: 100", 5),
        ("fraction: {numerator: 7, denominator: 7}", 5),
    ):
        mirror = f"{{type: RequestMirror, requestMirror: {{{far}, {share}}}}}"
        rules = f"[{{filters: [{mirror}], backendRefs: [{ONE}]}}]"
        await clean.apply(
            route(rules, kind=kind, parent=parent)
            + grant(kind, "{group: '', kind: Service, name: far}")
        )
        clean.seen.clear()
        for _ in range(5):
            assert (await call(clean, port=port, method="POST")).version == "v1"
        for _ in range(100):
            if len(clean.seen) == 5 + copies:
                break
            await asyncio.sleep(0.02)
        assert len(clean.seen) == 5 + copies


async def test_references_need_grants(clean: live.Live) -> None:
    far = "{group: '', kind: Service, name: far, namespace: other, port: 9080, weight: 1}"
    for kind, port in (("HTTPRoute", 8080), ("GRPCRoute", 8084)):
        listener = "http" if kind == "HTTPRoute" else "grpc"
        parent = f"{{name: edge, sectionName: {listener}}}"
        await clean.apply(route(f"[{{backendRefs: [{far}]}}]", kind=kind, parent=parent))
        assert (await call(clean, port=port, method="POST")).status == 500
        for text in (
            grant("TCPRoute", "{group: '', kind: Service, name: far}"),
            grant(kind, "{group: '', kind: Service, name: another}"),
            grant(kind, "{group: '', kind: Secret}"),
            grant(kind, "{group: '', kind: Service}", group="elsewhere.example"),
            grant(kind, "{group: '', kind: Service}").replace(
                "namespace: default", "namespace: third"
            ),
            grant(kind, "{group: elsewhere.example, kind: Service}"),
        ):
            await clean.apply(text)
            assert (await call(clean, port=port, method="POST")).status == 500
        await clean.apply(grant(kind, "{group: '', kind: Service, name: far}"))
        assert (await call(clean, port=port, method="POST")).body["app"] == "far"


async def test_weights_ports_and_names_of_connections(clean: live.Live) -> None:
    def backends(first: int, second: int) -> str:
        return (
            f"{{group: '', kind: Service, name: echo-v1, port: 9000, weight: {first}}},"
            f" {{name: echo-v2, port: 9000, weight: {second}}}"
        )

    async def said(port: int) -> set[str]:
        return {(await clean.line(address(clean), port, "x")).split()[0] for _ in range(12)}

    parent = "{group: gateway.networking.k8s.io, kind: Gateway, name: edge, namespace: default, "
    for where, port in (("sectionName: tcp-b", 9101), ("port: 9101", 9101)):
        rules = f"[{{name: n, backendRefs: [{backends(0, 1)}]}}]"
        await clean.apply(route(rules, kind="TCPRoute", parent=f"{parent}{where}}}"))
        assert await said(port) == {"v2"}
    both = route(
        f"[{{backendRefs: [{backends(1, 1)}]}}]", kind="TCPRoute", parent=f"{parent}port: 9101}}"
    )
    await clean.apply(both)
    assert await said(9101) == {"v1", "v2"}
    far = "{name: far-echo, namespace: other, port: 9000}"
    await clean.apply(
        route(f"[{{backendRefs: [{far}]}}]", kind="TCPRoute", parent=f"{parent}port: 9101}}")
        + grant("TCPRoute", "{group: '', kind: Service}")
    )
    assert await said(9101) == {"v3"}


async def test_tls_routes_by_server_name(clean: live.Live, tmp_path: Path) -> None:
    authority = Authority()
    pem = tmp_path / "server.pem"
    pem.write_text("".join(authority.leaf("pass.example")))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    for app, namespace in (("secure-a", "default"), ("secure-b", "default"), ("secure-c", "other")):
        clean.mesh.service(app, 8443, port_name="tls", namespace=namespace)
        name = clean.mesh.pod(app, port=8443, namespace=namespace, proxy="")
        key = next(one for one in clean.mesh.snapshot().workloads if one.name == name)
        where = clean.mesh.snapshot().workloads[key].addresses.pod(8443)
        await clean.application(name, app, "v1", *where, ssl_context=context)

    async def reached(count: int = 1) -> set[str]:
        url = f"https://{address(clean)}:8444/"
        more = {"ssl": authority.client(), "server_hostname": "pass.example"}
        return {(await clean.fetch(url, **more)).body["app"] for _ in range(count)}

    parent = "{group: gateway.networking.k8s.io, kind: Gateway, name: edge, namespace: default, "
    for where in ("sectionName: pass", "port: 8444"):
        backends = (
            "{group: '', kind: Service, name: secure-a, port: 8443, weight: 0},"
            " {name: secure-b, port: 8443, weight: 1}"
        )
        rules = f"[{{name: n, backendRefs: [{backends}]}}]"
        await clean.apply(route(rules, kind="TLSRoute", parent=f"{parent}{where}}}"))
        assert await reached(8) == {"secure-b"}
    far = "{name: secure-c, namespace: other, port: 8443}"
    await clean.apply(
        route(f"[{{backendRefs: [{far}]}}]", kind="TLSRoute", parent=f"{parent}port: 8444}}")
        + grant("TLSRoute", "{group: '', kind: Service}")
    )
    assert await reached() == {"secure-c"}


async def test_certificates_of_another_namespace_and_options(clean: live.Live) -> None:
    authority = Authority()
    certificate, key = authority.leaf("tls.example")
    pair = (("tls.crt", certificate), ("tls.key", key))
    data = {name: base64.b64encode(text.encode()).decode() for name, text in pair}
    meta = {"name": "cert", "namespace": "other"}
    clean.mesh.add({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    await clean.apply(
        route(f"[{{backendRefs: [{ONE}]}}]", parent="{name: edge, sectionName: https}")
        + grant("Gateway", "{group: '', kind: Secret, name: cert}")
    )

    async def opened(ciphers: str) -> int:
        context = authority.client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
        url = f"https://{address(clean)}:8443/"
        headers = {"host": "tls.example"}
        try:
            found = await clean.fetch(
                url, headers=headers, ssl=context, server_hostname="tls.example"
            )
        except aiohttp.ClientError:
            return 0
        return found.status

    assert await opened("ECDHE-ECDSA-AES256-GCM-SHA384") == 200
    assert await opened("ECDHE-ECDSA-AES128-GCM-SHA256") == 0
