"""The fields of Gateway, ServiceEntry, WorkloadEntry and Sidecar that test_gateway and test_egress leave out."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.integration.istio import live
from tests.integration.istio.authority import Authority
from tests.unit.istio.mesh import add_gateway

NETWORK = "127.152"
pytestmark = pytest.mark.asyncio(loop_scope="module")
ONE, TWO, VIP = (f"{NETWORK}.250.{number}" for number in (1, 2, 9))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` calls `api` and the outside (an echo at two addresses); a gateway stands in front of `api`."""
    folder: Path = tmp_path_factory.mktemp("edge-fields")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("api")
        await found.pod("web", labels={"istio-locality": "r1.z1"})
        await found.pod("api")
        await found.adopt(add_gateway(found.mesh), "istio-system")
        for version, where in (("one", ONE), ("two", TWO)):
            for port in (8000, 8001):
                await found.application(f"{version}-{port}", "outside", version, where, port)
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


async def call(mesh: live.Live, url: str, **more: Any) -> live.Answer:
    return await mesh.get(mesh.named("web-"), url, **more)


def entry(name: str, endpoints: str, *, more: str = "", port: str = "") -> str:
    port = port or "{number: 80, name: http, protocol: HTTP, targetPort: 8000}"
    return f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec:
  hosts: [{name}.out]
  resolution: STATIC
  ports: [{port}]
  {endpoints}
  {more}
"""


def rule(name: str, policy: str) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec: {{host: {name}.out, {policy}}}
"""


def workload(name: str, spec: str) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: {name}, labels: {{app: {name.rpartition("-")[0]}}}}}
spec: {spec}
"""


#: The same fields of ServiceEntry.endpoints and of WorkloadEntry: name → two endpoints.
ENDPOINTS = {
    "ports": f"{{address: {ONE}, ports: {{http: 8001}}}}",
    "weight": f"{{address: {ONE}, weight: 9}}, {{address: {TWO}, weight: 1}}",
    "labels": f"{{address: {ONE}, labels: {{v: one}}}}, {{address: {TWO}, labels: {{v: two}}}}",
    "place": f"{{address: {ONE}, locality: r1/z1}}, {{address: {TWO}, locality: r2/z1}}",
    "account": "{address: API, ports: {http: 9080}, serviceAccount: api}",
}
POLICIES = {
    "weight": "trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}",
    "labels": "subsets: [{name: two, labels: {v: two}}]",
    "place": "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5},"
    " loadBalancer: {localityLbSetting: {failover: [{from: r1, to: r2}]}}}",
}


@pytest.mark.parametrize("written", ["service entry", "workload entries"])
async def test_fields_of_endpoints(clean: live.Live, written: str) -> None:
    pods = clean.mesh.snapshot().workloads
    api = pods[clean.pods[clean.named("api-")]].addresses.pod_ip
    for name, endpoints in ENDPOINTS.items():
        endpoints = endpoints.replace("API", api)
        inside = "location: MESH_INTERNAL" if name == "account" else ""
        if written == "service entry":
            clean.mesh.apply(entry(name, f"endpoints: [{endpoints}]", more=inside))
        else:
            selector = f"workloadSelector: {{labels: {{app: {name}}}}}"
            clean.mesh.apply(entry(name, selector, more=inside))
            for number, one in enumerate(endpoints.split("}, {address")):
                spec = one if number == 0 else "{address" + one
                spec += "}" * (spec.count("{") - spec.count("}"))
                clean.mesh.apply(workload(f"{name}-{number}", spec))
        if name in POLICIES:
            clean.mesh.apply(rule(name, POLICIES[name]))
    clean.mesh.apply(subset_rule("labels", "two"))
    await clean.push()
    clean.seen.clear()
    assert (await call(clean, "http://ports.out/")).status == 200
    assert clean.seen[-1][0] == "one-8001"
    answers = await asyncio.gather(*(call(clean, "http://weight.out/") for _ in range(60)))
    assert Counter(one.version for one in answers)["one"] >= 45
    assert {(await call(clean, "http://labels.out/")).version for _ in range(6)} == {"two"}
    assert {(await call(clean, "http://place.out/")).version for _ in range(6)} == {"one"}
    with_identity = await call(clean, "http://account.out/")
    assert "x-forwarded-client-cert" in with_identity.body["headers"]


def subset_rule(name: str, subset: str) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec: {{hosts: [{name}.out], http: [{{route: [{{destination: {{host: {name}.out, subset: {subset}}}}}]}}]}}
"""


async def test_addresses_protocols_and_visibility_of_entries(clean: live.Live) -> None:
    echo = f"{NETWORK}.250.7"
    await clean.line_echo("tcp", "tcp", "outside", echo, 9000)
    tcp = "{number: 9000, name: tcp, protocol: TCP}"
    hidden = entry("hidden", f"endpoints: [{{address: {ONE}}}]").replace(
        "{name: hidden}", "{name: hidden, namespace: other}"
    )
    await clean.apply(
        entry("vip", f"endpoints: [{{address: {ONE}}}]", more=f"addresses: [{VIP}]")
        + entry("lines", f"endpoints: [{{address: {echo}}}]", port=tcp)
        + hidden.replace("  resolution", "  exportTo: ['.']\n  resolution")
    )
    assert (await call(clean, f"http://{VIP}/")).version == "one"
    assert await clean.say(clean.named("web-"), "lines.out:9000", "x") == "outside x"
    assert (await call(clean, "http://hidden.out/")).status == 503
    await clean.apply(hidden.replace("  resolution", "  exportTo: ['*']\n  resolution"))
    assert (await call(clean, "http://hidden.out/")).status == 200


async def test_names_that_servers_must_have(clean: live.Live, tmp_path: Path) -> None:
    authority = Authority()
    pem = tmp_path / "server.pem"
    pem.write_text("".join(authority.leaf("secure.example")))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    await clean.application("secure", "secure", "v1", ONE, 8443, ssl_context=context)
    for pod in clean.pods:
        folder = clean.plane.root_of(pod) / "roots"
        folder.mkdir()
        (folder / "ca").write_text(authority.root)
    port = "{number: 80, name: http, protocol: HTTP, targetPort: 8443}"
    for name, san in (("named", "secure.example"), ("misnamed", "other.example")):
        sans = f"subjectAltNames: [{san}]"
        clean.mesh.apply(entry(name, f"endpoints: [{{address: {ONE}}}]", more=sans, port=port))
        tls = "trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /roots/ca}}"
        clean.mesh.apply(rule(name, tls))
    await clean.push()
    assert (await call(clean, "http://named.out/")).status == 200
    assert (await call(clean, "http://misnamed.out/")).status == 503


SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: own}}
spec:
  workloadSelector: {{labels: {{app: {app}}}}}
  {spec}
"""


async def test_a_sidecar_object_for_some_pods(clean: live.Live) -> None:
    narrow = 'egress: [{hosts: ["other/*"]}]\n  outboundTrafficPolicy: {mode: REGISTRY_ONLY}'
    await clean.apply(SIDECAR.format(app="nobody", spec=narrow))
    assert (await call(clean, "http://api:9080/")).status == 200
    await clean.apply(SIDECAR.format(app="web", spec=narrow))
    assert (await call(clean, "http://api:9080/")).status == 502
    one_port = narrow.replace('{hosts: ["other/*"]}', '{port: PORT, hosts: ["./*"]}')
    for number, status in ((9080, 200), (9081, 502)):
        port = f"{{number: {number}, protocol: HTTP, name: http}}"
        await clean.apply(SIDECAR.format(app="web", spec=one_port.replace("PORT", port)))
        assert (await call(clean, "http://api:9080/")).status == status


async def test_what_a_sidecar_accepts(clean: live.Live) -> None:
    key = clean.pods[clean.named("api-")]
    host, _ = clean.mesh.snapshot().workloads[key].addresses.app(9080)
    await clean.application("behind", "behind", "v1", host, 7070)
    port = "port: {number: 9080, protocol: HTTP, name: http}"
    ingress = f"ingress: [{{{port}, defaultEndpoint: '127.0.0.1:7070'}}]"
    await clean.apply(SIDECAR.format(app="api", spec=ingress))
    assert (await call(clean, "http://api:9080/")).body["app"] == "behind"
    pool = "{http: {http2MaxRequests: 1}}"
    own = f"ingress: [{{{port}, defaultEndpoint: '127.0.0.1:7070', connectionPool: {pool}}}]"
    for spec in (own, f"inboundConnectionPool: {pool}"):
        await clean.apply(SIDECAR.format(app="api", spec=spec))
        slow = {"x-sleep": "0.3"}
        answers = await asyncio.gather(
            *(call(clean, "http://api:9080/", headers=slow) for _ in range(4))
        )
        assert Counter(one.status for one in answers) == {200: 1, 503: 3}


# -- TLS at gateways -----------------------------------------------------------------------------


def server(name: str, tls: str) -> str:
    port = f"{{number: 443, name: https-{name}, protocol: HTTPS}}"
    return f"  - {{port: {port}, hosts: [{name}.example], tls: {{{tls}}}}}\n"


def secret(mesh: live.Live, name: str, **data: str) -> None:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    meta = {"name": name, "namespace": "istio-system"}
    mesh.mesh.add({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": encoded})


def pins(certificate: str) -> tuple[str, str]:
    """The hash of a certificate's public key (base64), and of itself (hexadecimal)."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    key = found.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    whole = found.public_bytes(serialization.Encoding.DER)
    spki = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return spki, hashlib.sha256(whole).hexdigest()


def gateway_address(mesh: live.Live) -> str:
    name = mesh.named("istio-ingressgateway")
    return mesh.mesh.snapshot().workloads[mesh.pods[name]].addresses.pod_ip


async def opened(mesh: live.Live, name: str, context: ssl.SSLContext) -> int:
    """The status over TLS, 0 if the handshake fails."""
    url = f"https://{gateway_address(mesh)}:8443/"
    headers = {"host": f"{name}.example"}
    try:
        found = await mesh.fetch(
            url, headers=headers, ssl=context, server_hostname=f"{name}.example"
        )
    except aiohttp.ClientError:
        return 0
    return found.status


def trusting(authority: Authority, pem: Path | None = None, **limits: Any) -> ssl.SSLContext:
    """A client that trusts an authority, perhaps with a certificate of its own."""
    context = ssl.create_default_context(cadata=authority.root)
    context.check_hostname = False
    if pem is not None:
        context.load_cert_chain(pem)
    if limits.get("newest"):
        context.maximum_version = limits["newest"]
    if limits.get("oldest"):
        context.minimum_version = limits["oldest"]
    if limits.get("ciphers"):
        context.set_ciphers(limits["ciphers"])
    return context


async def test_tls_of_servers(clean: live.Live, tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority()
    certificate, key = authority.leaf("*.example")
    rsa, rsa_key = authority.leaf("*.example", with_rsa=True)
    client, client_key = authority.leaf("client.example")
    revoked, revoked_key = authority.leaf("revoked.example")
    spki, hashed = pins(client)
    pems = {"client": client + client_key, "revoked": revoked + revoked_key}
    other, other_key = stranger.leaf("client.example")
    for name, text in {**pems, "stranger": other + other_key}.items():
        (tmp_path / name).write_text(text)
    folder = clean.plane.root_of(clean.named("istio-ingressgateway")) / "certs"
    folder.mkdir()
    files = {"cert": certificate, "key": key, "rsa": rsa, "rsa-key": rsa_key, "ca": authority.root}
    files["crl"] = authority.revoked(authority.leaf_of["revoked.example"])
    for name, text in files.items():
        (folder / name).write_text(text)
    secret(clean, "one", cert=certificate, key=key)
    secret(clean, "two", cert=rsa, key=rsa_key)
    secret(clean, "roots", cacert=authority.root)
    own = "serverCertificate: /certs/cert, privateKey: /certs/key"
    mutual = f"mode: MUTUAL, {own}, caCertificates: /certs/ca"
    pairs = (
        "tlsCertificates: [{serverCertificate: /certs/cert, privateKey: /certs/key},"
        " {serverCertificate: /certs/rsa, privateKey: /certs/rsa-key}]"
    )
    servers = {
        "files": f"mode: SIMPLE, {own}",
        "two": "mode: SIMPLE, credentialNames: [one, two]",
        "pairs": f"mode: SIMPLE, {pairs}",
        "mutual": mutual,
        "optional": mutual.replace("MUTUAL", "OPTIONAL_MUTUAL"),
        "crl": f"{mutual}, caCrl: /certs/crl",
        "san": f"{mutual}, subjectAltNames: [client.example]",
        "spki": f"{mutual}, verifyCertificateSpki: ['{spki}']",
        "hash": f"{mutual}, verifyCertificateHash: ['{hashed}']",
        "roots": "mode: MUTUAL, credentialName: one, caCertCredentialName: roots",
        "old": f"mode: SIMPLE, {own}, maxProtocolVersion: TLSV1_2",
        "new": f"mode: SIMPLE, {own}, minProtocolVersion: TLSV1_3",
        "cipher": f"mode: SIMPLE, {own}, maxProtocolVersion: TLSV1_2,"
        " cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384]",
    }
    text = "".join(server(name, tls) for name, tls in servers.items())
    await clean.apply(f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: front}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
{text}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: front}}
spec: {{hosts: ["*.example"], gateways: [front], http: [{{route: [{{destination: {{host: api}}}}]}}]}}
""")
    plain, known = trusting(authority), trusting(authority, tmp_path / "client")
    tls12, tls13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    only_rsa = trusting(authority, newest=tls12, ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    only_ec = trusting(authority, newest=tls12, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    cases = [
        ("files", plain, 200),
        ("two", only_rsa, 200),
        ("two", only_ec, 200),
        ("pairs", only_rsa, 200),
        ("pairs", only_ec, 200),
        ("files", only_rsa, 0),
        ("mutual", known, 200),
        ("mutual", plain, 0),
        ("mutual", trusting(authority, tmp_path / "stranger"), 0),
        ("optional", plain, 200),
        ("crl", known, 200),
        ("crl", trusting(authority, tmp_path / "revoked"), 0),
        ("san", known, 200),
        ("san", trusting(authority, tmp_path / "revoked"), 0),
        ("spki", known, 200),
        ("spki", trusting(authority, tmp_path / "revoked"), 0),
        ("hash", known, 200),
        ("hash", trusting(authority, tmp_path / "revoked"), 0),
        ("roots", known, 200),
        ("roots", plain, 0),
        ("old", plain, 200),
        ("old", trusting(authority, oldest=tls13), 0),
        ("new", plain, 200),
        ("new", trusting(authority, newest=tls12), 0),
        ("cipher", trusting(authority, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"), 200),
        ("cipher", only_ec, 0),
    ]
    found = [(name, await opened(clean, name, context)) for name, context, _ in cases]
    wanted = [(name, status) for name, _, status in cases]
    different = [one for one in zip(found, wanted, strict=True) if one[0] != one[1]]
    assert not different, different
    dump = clean.plane.admin(clean.named("istio-ingressgateway"), "/config_dump").decode()
    assert "https.443.https-files.front.default" in dump


async def test_a_selector_that_means_nobody(clean: live.Live) -> None:
    await clean.apply("""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: another}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
""")
    with pytest.raises(aiohttp.ClientConnectorError):
        await clean.fetch(f"http://{gateway_address(clean)}:8080/")
