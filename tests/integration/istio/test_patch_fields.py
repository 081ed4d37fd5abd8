"""The conditions of EnvoyFilter patches that test_envoyfilter leaves out, and policies that name a Gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istio.test_security import Issuer, bearer
from tests.integration.istiod.mesh import until
from tests.unit.istio import gateways

NETWORK = "127.154"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`client` calls `web`, and so does a gateway of the Gateway API."""
    folder: Path = tmp_path_factory.mktemp("patch-fields")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("web")
        for app in ("web", "client"):
            await found.pod(app)
        listeners = "[{name: http, port: 8080, protocol: HTTP}]"
        gateways.apply_gateway(found.mesh, listeners)
        await found.adopt(gateways.deploy(found.mesh), "default")
        await found.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{name: by-name, route: [{destination: {host: web, subset: all}}]}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, subsets: [{name: all, labels: {app: web}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: web, port: 9080}]}]}
""")
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


def patch(target: str, match: str, value: str, operation: str = "MERGE", more: str = "") -> str:
    return f"""---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: one}}
spec:
  {more}
  configPatches:
  - applyTo: {target}
    match: {match}
    patch: {{operation: {operation}, value: {value}}}
"""


async def call(mesh: live.Live) -> live.Answer:
    return await mesh.get(mesh.named("client-"), "http://web:9080/")


async def enter(mesh: live.Live, **more: Any) -> live.Answer:
    host = mesh.mesh.snapshot().workloads[mesh.pods[mesh.named("edge-istio")]].addresses.pod_ip
    return await mesh.fetch(f"http://{host}:8080/", **more)


#: What a route patch adds to answers.
MARK = "{response_headers_to_add: [{header: {key: x-mark, value: m}}]}"
ROUTES = [
    (
        "HTTP_ROUTE",
        "routeConfiguration: {portNumber: 9080}",
        "routeConfiguration: {portNumber: 9081}",
    ),
    ("VIRTUAL_HOST", "routeConfiguration: {name: '9080'}", "routeConfiguration: {name: '9081'}"),
    (
        "VIRTUAL_HOST",
        "routeConfiguration: {vhost: {domainName: 'web.default:9080'}}",
        "routeConfiguration: {vhost: {domainName: 'other:9080'}}",
    ),
    (
        "HTTP_ROUTE",
        "routeConfiguration: {vhost: {route: {name: by-name}}}",
        "routeConfiguration: {vhost: {route: {name: another}}}",
    ),
    ("HTTP_ROUTE", "proxy: {proxyVersion: '^1.*'}", "proxy: {proxyVersion: '^0.*'}"),
    (
        "HTTP_ROUTE",
        "proxy: {metadata: {NAMESPACE: default}}",
        "proxy: {metadata: {NAMESPACE: other}}",
    ),
]


@pytest.mark.parametrize(("target", "good", "bad"), ROUTES)
async def test_which_routes_are_patched(clean: live.Live, target: str, good: str, bad: str) -> None:
    for match, expected in ((good, True), (bad, False)):
        await clean.apply(patch(target, f"{{context: SIDECAR_OUTBOUND, {match}}}", MARK))
        assert ("x-mark" in (await call(clean)).headers) is expected, match


async def test_the_order_of_patches(clean: live.Live) -> None:
    def one(name: str, priority: int) -> str:
        text = patch(
            "HTTP_ROUTE", "{context: SIDECAR_OUTBOUND}", MARK.replace("value: m", f"value: {name}")
        )
        spec = f"spec:\n  priority: {priority}"
        return text.replace("{name: one}", f"{{name: {name}}}").replace("spec:", spec)

    for early, late in (("first", "second"), ("second", "first")):
        await clean.apply(one(early, -1) + one(late, 5))
        assert (await call(clean)).headers["x-mark"] == f"{early},{late}"


CLUSTERS = [
    ("portNumber: 9080", "portNumber: 9081"),
    ("service: web.default.svc.cluster.local", "service: other.default.svc.cluster.local"),
    ("subset: all", "subset: none"),
    (
        "name: outbound|9080|all|web.default.svc.cluster.local",
        "name: outbound|9080||web.default.svc.cluster.local",
    ),
]


@pytest.mark.parametrize(("good", "bad"), CLUSTERS)
async def test_which_clusters_are_patched(clean: live.Live, good: str, bad: str) -> None:
    """A cluster that a patch removes is missed."""
    for match, status in ((good, 503), (bad, 200)):
        text = f"{{context: SIDECAR_OUTBOUND, cluster: {{{match}}}}}"
        await clean.apply(patch("CLUSTER", text, "{}", "REMOVE"))
        for _ in range(100):  # what is removed goes after everything else
            if (await call(clean)).status == status:
                break
            await asyncio.sleep(0.02)
        assert (await call(clean)).status == status, match


MANAGER = "filter: {name: envoy.filters.network.http_connection_manager}"
LISTENERS = [
    ("portNumber: 9080", "portNumber: 9081"),
    ("name: virtualInbound", "name: virtualOutbound"),
    ("filterChain: {name: mtls_9080}", "filterChain: {name: plaintext_9080}"),
    ("filterChain: {transportProtocol: tls}", "filterChain: {transportProtocol: raw_buffer}"),
    ("filterChain: {applicationProtocols: istio}", "filterChain: {applicationProtocols: h3}"),
    ("filterChain: {destinationPort: 9080}", "filterChain: {destinationPort: 9081}"),
]


@pytest.mark.parametrize(("good", "bad"), LISTENERS)
async def test_which_listeners_are_patched(clean: live.Live, good: str, bad: str) -> None:
    value = (
        '{typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network'
        ".http_connection_manager.v3.HttpConnectionManager, via: patched}}"
    )
    for match, expected in ((good, True), (bad, False)):
        chained = "filterChain" in match
        found = f"{match[:-1]}, {MANAGER}}}" if chained else f"{match}, filterChain: {{{MANAGER}}}"
        text = f"{{context: SIDECAR_INBOUND, listener: {{{found}}}}}"
        await clean.apply(patch("NETWORK_FILTER", text, value))
        await call(clean)  # a kept connection ends with the first answer
        for _ in range(100):
            if ("via" in (await call(clean)).body["headers"]) is expected:
                break
            await asyncio.sleep(0.02)
        assert ("via" in (await call(clean)).body["headers"]) is expected, match


REFERENCE = "{group: gateway.networking.k8s.io, kind: Gateway, name: edge}"
OTHERS = (
    REFERENCE.replace("edge", "another"),
    REFERENCE.replace("Gateway", "GatewayClass"),
    REFERENCE.replace("gateway.networking.k8s.io", "elsewhere.example"),
)


def both(reference: str) -> tuple[str, str]:
    return f"targetRef: {reference}", f"targetRefs: [{reference}]"


async def test_policies_that_name_a_gateway(clean: live.Live) -> None:
    deny = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: one}}
spec: {{{target}, action: DENY, rules: [{{}}]}}
"""
    for reference, expected in ((REFERENCE, 403), *((one, 200) for one in OTHERS)):
        for target in both(reference):
            await clean.apply(deny.format(target=target))
            assert (await enter(clean)).status == expected, target
            assert (await call(clean)).status == 200


async def test_tokens_at_a_named_gateway(clean: live.Live) -> None:
    issuer = Issuer()
    rule = f"jwtRules: [{{issuer: {issuer.name}, jwks: '{issuer.jwks}'}}]"
    bad = bearer(Issuer().token())
    for reference, expected in ((REFERENCE, 401), *((one, 200) for one in OTHERS)):
        for target in both(reference):
            await clean.apply(f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: one}}
spec: {{{target}, {rule}}}
""")
            assert (await enter(clean, headers=bad)).status == expected, target


async def test_logs_and_patches_of_a_named_gateway(clean: live.Live) -> None:
    clean.mesh.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {
                "mesh": "extensionProviders: [{name: log, envoyFileAccessLog: {path: /dev/stdout,"
                ' logFormat: {text: "MARK %REQ(X-N)%\\n"}}}]'
            },
        }
    )
    edge = clean.named("edge-istio")
    number = 0
    for reference, expected in ((REFERENCE, True), *((one, False) for one in OTHERS)):
        for target in both(reference):
            number += 1
            await clean.apply(f"""
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: one}}
spec: {{{target}, accessLogging: [{{providers: [{{name: log}}]}}]}}
""")
            await enter(clean, headers={"x-n": f"n{number}"})
            if expected:
                await until(lambda n=number: f"MARK n{n}" in clean.plane.log(edge))  # type: ignore[misc]
    await asyncio.sleep(0.5)  # longer than Envoy's flush interval
    assert "MARK n3" not in clean.plane.log(edge)
    for reference, expected in ((REFERENCE, True), *((one, False) for one in OTHERS)):
        text = patch("HTTP_ROUTE", "{context: GATEWAY}", MARK, more=f"targetRefs: [{reference}]")
        await clean.apply(text)
        assert ("x-mark" in (await enter(clean)).headers) is expected
