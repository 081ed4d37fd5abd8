"""Gateways through real Envoys: hosts, merging, TLS termination and rotation, redirect,
passthrough, TCP.
"""

from __future__ import annotations

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
from tests.unit.istio.mesh import add_gateway

NETWORK = "127.150"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """An ingress gateway in front of `web` v1 and v2, and a TCP `echo`."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("web")
        found.mesh.service("echo", 9000, port_name="tcp")
        found.mesh.service("secure", 8443, port_name="https")
        for version in ("v1", "v2"):
            await found.pod("web", version)
        await found.pod("echo", port=9000, tcp=True)
        await found.adopt(add_gateway(found.mesh), "istio-system")
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    """The mesh, with whatever a test applied taken away again."""
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


def address(mesh: live.Live) -> str:
    name = next(name for name in mesh.pods if name.startswith("istio-ingressgateway"))
    return mesh.mesh.snapshot().workloads[mesh.pods[name]].addresses.pod_ip


async def call(
    mesh: live.Live, host: str, path: str = "/", port: int = 8080, **more: Any
) -> live.Answer:
    headers = {"host": host, **more.pop("headers", {})}
    if "ssl" not in more:
        return await mesh.fetch(f"http://{address(mesh)}:{port}{path}", headers=headers, **more)
    url = f"https://{address(mesh)}:{port}{path}"
    return await mesh.fetch(url, headers=headers, server_hostname=host, **more)


def gateway(servers: str, name: str = "front") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  selector: {{istio: ingressgateway}}
  servers: {servers}
"""


def rule(name: str, hosts: str, routes: str, gateways: str = "[front]", kind: str = "http") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: {hosts}
  gateways: {gateways}
  {kind}: {routes}
"""


HTTP = "[{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]"
TO_WEB = "[{route: [{destination: {host: web}}]}]"


async def refused(mesh: live.Live, port: int = 8080) -> bool:
    try:
        await call(mesh, "any", port=port)
    except aiohttp.ClientConnectorError:
        return True
    return False


async def test_from_refused_to_404_to_200(clean: live.Live) -> None:
    assert await refused(clean)
    await clean.apply(gateway(HTTP))
    assert (await call(clean, "any")).status == 404
    await clean.apply(rule("web", "['*']", TO_WEB))
    answer = await call(clean, "any")
    assert answer.status == 200
    assert answer.headers["server"] == "istio-envoy"
    assert (
        "URI=spiffe://cluster.local/ns/istio-system/sa/"
        in answer.body["headers"]["x-forwarded-client-cert"]
    )


async def test_hosts_decide_and_rules_for_one_host_are_merged(clean: live.Live) -> None:
    await clean.apply(
        gateway(HTTP)
        + "---"
        + rule("all", "[a.example]", "[{route: [{destination: {host: web}}]}]")
        + "---"
        + rule(
            "more", "[a.example]", "[{match: [{uri: {prefix: /x}}], directResponse: {status: 299}}]"
        )
        + "---"
        + rule("wild", "['*.example']", "[{directResponse: {status: 298}}]")
    )
    assert (await call(clean, "a.example", "/x")).status == 299
    assert (await call(clean, "a.example", "/y")).status == 200
    assert (await call(clean, "b.example")).status == 298
    assert (await call(clean, "elsewhere.org")).status == 404
    assert (await call(clean, "a.example:8080", "/x")).status == 299


async def test_a_gateways_hosts_limit_the_rules(clean: live.Live) -> None:
    servers = "[{port: {number: 80, name: http, protocol: HTTP}, hosts: ['other/*.example', './own.example']}]"
    await clean.apply(
        gateway(servers)
        + "---"
        + rule("own", "[own.example]", "[{directResponse: {status: 291}}]")
        + "---"
        + rule("stolen", "[x.example]", "[{directResponse: {status: 292}}]")
    )
    assert (await call(clean, "own.example")).status == 291
    assert (await call(clean, "x.example")).status == 404


async def test_peer_headers_from_outside_are_dropped(clean: live.Live) -> None:
    await clean.apply(gateway(HTTP) + "---" + rule("web", "['*']", TO_WEB))
    forged = {"x-mesh-peer-workload": "forged", "x-forwarded-client-cert": "URI=spiffe://forged"}
    answer = await call(clean, "any", headers=forged)
    assert "forged" not in str(answer.body["headers"])
    web = [name for name in clean.pods if name.startswith("web-")]
    seen = {
        labels["source_workload"]
        for name in web
        for labels, _ in clean.metrics(name, "istio_requests_total")
    }
    assert "istio-ingressgateway-v1" in seen
    assert "forged" not in seen


def secret(mesh: live.Live, name: str, **data: str) -> None:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    mesh.mesh.add(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "istio-system"},
            "type": "Opaque",
            "data": encoded,
        }
    )


def https(mode: str = "SIMPLE", host: str = "tls.example", name: str = "https") -> str:
    tls = f"{{mode: {mode}, credentialName: cert}}"
    return f"{{port: {{number: 443, name: {name}, protocol: HTTPS}}, hosts: [{host}], tls: {tls}}}"


async def test_tls_is_terminated_and_a_changed_secret_takes_effect(clean: live.Live) -> None:
    authority = Authority()
    certificate, key = authority.leaf("tls.example")
    secret(clean, "cert", cert=certificate, key=key)
    await clean.apply(gateway(f"[{https()}]") + "---" + rule("web", "[tls.example]", TO_WEB))
    answer = await call(clean, "tls.example", port=8443, ssl=authority.client())
    assert answer.status == 200
    assert answer.body["headers"]["x-forwarded-proto"] == "https"
    renewed = Authority()
    certificate, key = renewed.leaf("tls.example")
    secret(clean, "cert", cert=certificate, key=key)
    await clean.push()

    async def served() -> bool:
        try:
            return (await call(clean, "tls.example", port=8443, ssl=renewed.client())).status == 200
        except aiohttp.ClientError:
            return False

    for _ in range(50):
        if await served():
            break
    assert await served()
    connector = aiohttp.TCPConnector(ssl=authority.client())
    url = f"https://{address(clean)}:8443/"
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url, server_hostname="tls.example")


async def test_mutual_tls_wants_a_client_certificate(clean: live.Live, tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.leaf("tls.example")
    secret(clean, "cert", cert=certificate, key=key, cacert=authority.root)
    await clean.apply(
        gateway(f"[{https('MUTUAL')}]") + "---" + rule("web", "[tls.example]", TO_WEB)
    )
    known = authority.client(authority.leaf("client.example"), tmp_path)
    assert (await call(clean, "tls.example", port=8443, ssl=known)).status == 200
    with pytest.raises(aiohttp.ClientError):
        await call(clean, "tls.example", port=8443, ssl=authority.client())


async def test_https_redirect(clean: live.Live) -> None:
    servers = (
        "[{port: {number: 80, name: http, protocol: HTTP}, hosts: [r.example],"
        " tls: {httpsRedirect: true}}]"
    )
    await clean.apply(gateway(servers) + "---" + rule("web", "[r.example]", TO_WEB))
    answer = await call(clean, "r.example", "/a")
    assert (answer.status, answer.headers["location"]) == (301, "https://r.example/a")


async def test_passthrough_by_server_name(clean: live.Live, tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.leaf("pass.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pem = tmp_path / "server.pem"
    pem.write_text(certificate + key)
    context.load_cert_chain(pem)
    where = f"{NETWORK}.251.1"
    await clean.application("secure", "secure", "v1", where, 8443, ssl_context=context)
    await clean.apply(
        gateway(
            "[{port: {number: 443, name: tls, protocol: TLS}, hosts: [pass.example],"
            " tls: {mode: PASSTHROUGH}}]"
        )
        + f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: secure}}
spec:
  hosts: [pass.example]
  resolution: STATIC
  ports: [{{number: 8443, name: tls, protocol: TLS}}]
  endpoints: [{{address: {where}}}]
---"""
        + rule(
            "pass",
            "[pass.example]",
            "[{match: [{port: 443, sniHosts: [pass.example]}],"
            " route: [{destination: {host: pass.example, port: {number: 8443}}}]}]",
            kind="tls",
        )
    )
    answer = await call(clean, "pass.example", port=8443, ssl=authority.client())
    assert answer.body["app"] == "secure"


async def test_tcp_at_the_gateway(clean: live.Live) -> None:
    await clean.apply(
        gateway("[{port: {number: 31400, name: tcp, protocol: TCP}, hosts: ['*']}]")
        + "---"
        + rule(
            "echo",
            "['*']",
            "[{match: [{port: 31400}], route: [{destination: {host: echo, port: {number: 9000}}}]}]",
            kind="tcp",
        )
    )
    assert await clean.line(address(clean), 31400, "hello") == "v1 hello"


async def test_authorization_at_the_gateway(clean: live.Live) -> None:
    await clean.apply(
        gateway(HTTP)
        + "---"
        + rule("web", "['*']", TO_WEB)
        + """---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  action: DENY
  rules: [{to: [{operation: {paths: [/admin]}}]}]
"""
    )
    assert (await call(clean, "any", "/admin")).status == 403
    assert (await call(clean, "any", "/")).status == 200


async def test_a_gateway_originates_mutual_tls_with_a_secret(
    clean: live.Live, tmp_path: Path
) -> None:
    authority = Authority()
    certificate, key = authority.leaf("out.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.root)
    context.verify_mode = ssl.CERT_REQUIRED
    pem = tmp_path / "outside.pem"
    pem.write_text(certificate + key)
    context.load_cert_chain(pem)
    where = f"{NETWORK}.251.2"
    await clean.application("outside", "outside", "v1", where, 8443, ssl_context=context)
    own, own_key = authority.leaf("client.example")
    secret(clean, "client", **{"tls.crt": own, "tls.key": own_key, "ca.crt": authority.root})
    await clean.apply(
        gateway(HTTP)
        + "---"
        + rule("out", "[out.example]", "[{route: [{destination: {host: out.example}}]}]")
        + f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: out}}
spec:
  hosts: [out.example]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8443}}]
  endpoints: [{{address: {where}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: out, namespace: istio-system}}
spec:
  host: out.example
  trafficPolicy: {{tls: {{mode: MUTUAL, credentialName: client, sni: out.example}}}}
"""
    )
    answer = await call(clean, "out.example")
    assert answer.status == 200
    assert answer.body["app"] == "outside"


async def test_proxies_in_front_are_believed_as_configured(clean: live.Live) -> None:
    await clean.apply(gateway(HTTP) + "---" + rule("web", "['*']", TO_WEB))
    headers = {"x-forwarded-for": "1.1.1.1, 2.2.2.2"}
    seen = (await call(clean, "any", headers=headers)).body["headers"]
    assert seen["x-forwarded-for"].startswith("1.1.1.1, 2.2.2.2,")
    assert seen["x-envoy-external-address"].startswith("127.")
    config = "{defaultConfig: {gatewayTopology: {numTrustedProxies: 1}, proxyHeaders: {server: {value: mine}}}}"
    clean.mesh.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {"mesh": config},
        }
    )
    await clean.push()
    answer = await call(clean, "any", headers=headers)
    assert answer.body["headers"]["x-envoy-external-address"] == "2.2.2.2"
    assert answer.headers["server"] == "mine"
