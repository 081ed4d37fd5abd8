"""Security on a whole mesh: migration to mutual TLS, identities that nobody can forge, what a machine gives away."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshcourse import course, paths
from meshcourse.embedded.daemon import census, state
from meshcourse.lab import asking
from tests.integration.learner.conftest import NAME

APPS = paths.home() / "labs" / "apps"
#: As in Istio's task "Mutual TLS Migration": two namespaces with sidecars, one without.
INSIDE, OUTSIDE = ("foo", "bar"), "legacy"
EACH = 5


@pytest.fixture(scope="module")
def three(mesh: course.Mesh) -> Iterator[course.Mesh]:
    """httpbin in foo and bar, a caller in each of the three namespaces."""
    for name in (*INSIDE, OUTSIDE):
        labels = {"istio-injection": "enabled"} if name in INSIDE else {}
        namespace = {"apiVersion": "v1", "kind": "Namespace"}
        mesh.apply([{**namespace, "metadata": {"name": name, "labels": labels}}]).raise_on_error()
        mesh.apply(APPS / "curl" / "curl.yaml", name).raise_on_error()
        if name in INSIDE:
            mesh.apply(APPS / "httpbin" / "httpbin.yaml", name).raise_on_error()
    for name in (*INSIDE, OUTSIDE):
        mesh.wait(namespace=name)
    yield mesh
    mesh.kubectl("delete", "namespace", *INSIDE, OUTSIDE, "--timeout=60s").check()


def peer(namespace: str, mode: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: {namespace}}}
spec: {{mtls: {{mode: {mode}}}}}
"""


def answered(mesh: course.Mesh) -> dict[tuple[str, str], bool]:
    """Caller's and server's namespace → were all requests answered? (Some, but not all, is an error.)"""
    found = {}
    for caller in (*INSIDE, OUTSIDE):
        for server in INSIDE:
            url = f"http://httpbin.{server}:8000/get"
            asked = asking.ask(mesh, f"curl.{caller}", url, n=EACH)
            assert asked.refused in (0, EACH), asked
            found[caller, server] = asked.refused == 0
    return found


def refused(*pairs: tuple[str, str]) -> dict[tuple[str, str], bool]:
    return {
        (caller, server): (caller, server) not in pairs
        for caller in (*INSIDE, OUTSIDE)
        for server in INSIDE
    }


def test_the_migration_of_the_istio_documentation(three: course.Mesh) -> None:
    """Permissive → one namespace strict → the mesh strict; between sidecars nothing is ever refused."""
    assert answered(three) == refused()
    one, all_of_it = peer("foo", "STRICT"), peer("istio-system", "STRICT")
    try:
        three.apply(one).raise_on_error()
        three.ask(f"curl.{OUTSIDE}", "http://httpbin.foo:8000/get", until="refused")
        assert answered(three) == refused((OUTSIDE, "foo"))
        three.apply(all_of_it).raise_on_error()
        three.ask(f"curl.{OUTSIDE}", "http://httpbin.bar:8000/get", until="refused")
        assert answered(three) == refused((OUTSIDE, "foo"), (OUTSIDE, "bar"))
    finally:
        three.delete(one + "---" + all_of_it).raise_on_error()
    three.ask(f"curl.{OUTSIDE}", "http://httpbin.foo:8000/get", until="answered")


FORGED = {
    "X-Forwarded-Client-Cert": "By=spiffe://cluster.local/ns/foo/sa/httpbin;"
    "URI=spiffe://cluster.local/ns/foo/sa/the-boss"
}
ONLY_THE_BOSS = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-the-boss, namespace: foo}
spec:
  selector: {matchLabels: {app: httpbin}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/foo/sa/the-boss]}}]
    to: [{operation: {paths: [/get]}}]
  - to: [{operation: {paths: [/headers]}}]
"""
PUBLISHED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: forged, namespace: foo}
spec:
  hosts: ["*"]
  gateways: [default/bookinfo-gateway]
  http:
  - match: [{uri: {exact: /headers}}, {uri: {exact: /get}}]
    route: [{destination: {host: httpbin.foo.svc.cluster.local, port: {number: 8000}}}]
"""
GATEWAY = "http://istio-ingressgateway.istio-system"
SERVER = "http://httpbin.foo:8000"
#: Who forges, by which way → what the server is told instead ("": nothing).
FORGERS = {
    (f"curl.{OUTSIDE}", SERVER): "",
    ("curl.foo", SERVER): "spiffe://cluster.local/ns/foo/sa/curl",
    ("curl.bar", SERVER): "spiffe://cluster.local/ns/bar/sa/curl",
    (
        f"curl.{OUTSIDE}",
        GATEWAY,
    ): "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account",
}


def test_an_identity_is_not_forged_by_headers(three: course.Mesh) -> None:
    try:
        three.apply(ONLY_THE_BOSS + "---" + PUBLISHED).raise_on_error()
        three.ask("curl.foo", f"{SERVER}/get", until=403)
        three.ask(f"curl.{OUTSIDE}", f"{GATEWAY}/headers", until=200)
        for (caller, base), told in FORGERS.items():
            found = three.ask(caller, f"{base}/get", n=EACH, headers=FORGED)
            assert found.statuses == {403: EACH}, found
            headers = three.ask(caller, f"{base}/headers", headers=FORGED).json()["headers"]
            certificates = ",".join(headers.get("X-Forwarded-Client-Cert", []))
            assert "the-boss" not in str(headers)
            assert re.findall(r"URI=([^;,]+)", certificates) == ([told] if told else [])
    finally:
        three.delete(ONLY_THE_BOSS + "---" + PUBLISHED).raise_on_error()


def test_a_certificate_names_the_account_and_lives_a_day(three: course.Mesh) -> None:
    found = three.certificate("deploy/curl.bar")
    assert found.identity == "spiffe://cluster.local/ns/bar/sa/curl"
    assert 0 < found.lifetime.total_seconds() <= 25 * 3600
    other = three.certificate("deploy/httpbin.bar")
    assert other.serial != found.serial
    assert other.issuer == found.issuer


def test_what_is_secret_can_be_read_by_its_owner_only(mesh: course.Mesh) -> None:
    """The kubeconfig, tokens, and every private key of the control plane and of each proxy."""
    directory = state.of(NAME).directory
    assert directory.stat().st_mode & 0o077 == 0
    files = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    secret = [path for path in files if _secret(path)]
    assert mesh.kubeconfig in secret
    assert len(secret) >= 10  # eight proxies, istiod and the API server have a key each
    assert [path for path in secret if path.stat().st_mode & 0o077] == []


def _secret(path: Path) -> bool:
    if path.stat().st_size > 1 << 20:
        return False
    text = path.read_bytes()
    return b"PRIVATE KEY" in text or path.name in ("kubeconfig", "token")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_listens_outside_loopback(mesh: course.Mesh) -> None:
    """Every listening TCP socket and every bound UDP socket of every process of the cluster."""
    members = census.members(state.of(NAME).directory)
    assert len(members) > 20
    inodes = {inode for pid in members for inode in _sockets(pid)}
    found = [
        address
        for table in ("tcp", "tcp6", "udp", "udp6")
        for address, listening, inode in _table(table)
        if inode in inodes and listening
    ]
    assert len(found) > 20
    assert [address for address in found if not _loopback(address)] == []


def _sockets(pid: int) -> set[str]:
    try:
        links = [path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # it has ended meanwhile
        return set()
    return {found[1] for link in links if (found := re.match(r"socket:\[(\d+)\]", link))}


def _table(name: str) -> Iterator[tuple[str, bool, str]]:
    """Local address, whether strangers may send to it, and inode of every socket."""
    for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
        fields = line.split()
        host = bytes.fromhex(fields[1].partition(":")[0])
        words = [host[at : at + 4][::-1] for at in range(0, len(host), 4)]
        open_to_all = fields[3] == ("0A" if name.startswith("tcp") else "07")
        yield str(ipaddress.ip_address(b"".join(words))), open_to_all, fields[9]


def _loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
