"""Whatever changes under load, no request is lost: rules, subsets, policies, certificates, pods, istiod itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from meshcourse import course
from meshcourse.embedded.daemon import launcher
from meshcourse.embedded.kube import addresses
from tests.integration.istiod.load import Load, Target

NAME = "no-loss"
APPS = Path(__file__).parents[3] / "labs/apps"
PATIENCE = 120.0
REQUESTS = 20_000
#: Certificates are renewed every four seconds, and are good for long enough to outlive istiod's absence.
OFTEN = """
proxyMetadata:
  SECRET_TTL: 100s
  SECRET_GRACE_PERIOD_RATIO: "0.96"
"""


@pytest.fixture(scope="module")
def mesh() -> Iterator[course.Mesh]:
    """Two versions of httpbin and a client, each with its Envoy, behind the ingress gateway."""
    found = course.open(NAME)
    try:
        found.ensure("istio")
        found.kubectl("label", "namespace", "default", "istio-injection=enabled", "--overwrite")
        for name in ("httpbin/httpbin.yaml", "httpbin/httpbin-v2.yaml", "curl/curl.yaml"):
            found.apply(APPS / name).raise_on_error()
        for name in ("httpbin", "httpbin-v2"):
            template = {"template": {"metadata": {"annotations": {"proxy.istio.io/config": OFTEN}}}}
            found.patch("deployment", name, {"spec": template})
        found.apply(ENTRY).raise_on_error()
        settled(found)
        yield found
    finally:
        found.close()
        launcher.down(NAME, delete=True)


def until(look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.02)


def settled(mesh: course.Mesh) -> None:
    """All Deployments are rolled out, and pods of earlier revisions are gone."""
    mesh.wait("deployment/httpbin", "deployment/httpbin-v2", "deployment/curl")
    until(lambda: len(mesh.objects("pods", "default")) == 3)


ENTRY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: door}
spec:
  hosts: ["*"]
  gateways: [door]
  http: [{route: [{destination: {host: httpbin, port: {number: 8000}}}]}]
"""


def subsets(*names: str) -> dict[str, Any]:
    """Subset ``v2x`` selects version v2."""
    listed = [{"name": name, "labels": {"version": name[:2]}} for name in names]
    return _object("DestinationRule", {"host": "httpbin", "subsets": listed})


def weights(**shares: int) -> dict[str, Any]:
    routes = [
        {
            "destination": {"host": "httpbin", "subset": name, "port": {"number": 8000}},
            "weight": share,
        }
        for name, share in shares.items()
    ]
    spec = {"hosts": ["httpbin"], "gateways": ["door", "mesh"], "http": [{"route": routes}]}
    return _object("VirtualService", spec)


def _object(kind: str, spec: dict[str, Any], group: str = "networking") -> dict[str, Any]:
    return {
        "apiVersion": f"{group}.istio.io/v1",
        "kind": kind,
        "metadata": {"name": "httpbin", "namespace": "default"},
        "spec": spec,
    }


def apply(mesh: course.Mesh, *objects: dict[str, Any]) -> None:
    mesh.apply(list(objects)).raise_on_error()


def targets(mesh: course.Mesh) -> list[Target]:
    """Through the gateway, and as an application beside its sidecar."""
    door = urlsplit(mesh.url("istio-ingressgateway", 80, namespace="istio-system"))
    (caller,) = (one for one in mesh.objects("pods", "default") if _app(one) == "curl")
    return [
        Target(door.hostname or "", door.port or 80, "/status/200", "httpbin"),
        Target(
            *addresses.app_endpoint(caller, 15001), "http://httpbin:8000/status/200", "httpbin:8000"
        ),
    ]


def _app(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["labels"].get("app"))


def flips(mesh: course.Mesh) -> None:
    for share in range(5, 100, 10):
        apply(mesh, weights(v1=share, v2=100 - share))
        time.sleep(0.1)


def coming_and_going(mesh: course.Mesh) -> None:
    for number in range(5):
        name = f"v2x{number}"
        apply(mesh, subsets("v1", "v2", name), weights(v1=50, **{name: 50}))
        time.sleep(0.2)
        apply(mesh, weights(v1=50, v2=50), subsets("v1", "v2"))
        time.sleep(0.2)


def clusters(mesh: course.Mesh) -> None:
    """A traffic policy changes every cluster of the service in place."""
    for seconds in range(2, 7):
        changed = subsets("v1", "v2")
        pool = {"tcp": {"connectTimeout": f"{seconds}s"}}
        changed["spec"]["trafficPolicy"] = {"connectionPool": pool}
        apply(mesh, changed)
        time.sleep(0.2)
    apply(mesh, subsets("v1", "v2"))


def mutual_tls(mesh: course.Mesh) -> None:
    for mode in ("STRICT", "PERMISSIVE") * 3:
        apply(mesh, _object("PeerAuthentication", {"mtls": {"mode": mode}}, "security"))
        time.sleep(0.3)


def authorization(mesh: course.Mesh) -> None:
    for number in range(8):
        source = {"source": {"namespaces": ["default", "istio-system", f"other-{number}"]}}
        spec = {"action": "ALLOW", "rules": [{"from": [source]}]}
        apply(mesh, _object("AuthorizationPolicy", spec, "security"))
        time.sleep(0.1)
    mesh.kubectl("delete", "authorizationpolicy", "httpbin")


def telemetry(mesh: course.Mesh) -> None:
    """Other access logs are other listeners."""
    for code in range(400, 404):
        expression = {"expression": f"response.code >= {code}"}
        chosen = {"providers": [{"name": "envoy"}], "filter": expression}
        apply(mesh, _object("Telemetry", {"accessLogging": [chosen]}, "telemetry"))
        time.sleep(0.3)
    mesh.kubectl("delete", "telemetry", "httpbin")


def rolling_restart(mesh: course.Mesh) -> None:
    mesh.restart("httpbin")
    mesh.restart("httpbin-v2")
    time.sleep(0.1)
    settled(mesh)


def restart_of_istiod(mesh: course.Mesh) -> None:
    mesh.restart("istiod", "istio-system")
    time.sleep(0.1)
    mesh.wait("deployment/istiod", namespace="istio-system")
    until(lambda: len(mesh.objects("pods", "istio-system", selector="app=istiod")) == 1)


def changes_while_istiod_is_away(mesh: course.Mesh) -> None:
    """Deletions are not validated, so they go through: the subsets are gone when it comes back."""
    apply(mesh, subsets("v1", "v2"), weights(v1=50, v2=50))
    time.sleep(0.3)
    scale(mesh, 0)
    mesh.kubectl("delete", "virtualservice", "httpbin")
    mesh.kubectl("delete", "destinationrule", "httpbin")
    scale(mesh, 1)
    mesh.wait("deployment/istiod", namespace="istio-system")
    until(lambda: connected(mesh) >= 4)


def scale(mesh: course.Mesh, replicas: int) -> None:
    mesh.patch("deployment", "istiod", {"spec": {"replicas": replicas}}, "istio-system")
    until(lambda: len(mesh.objects("pods", "istio-system", selector="app=istiod")) == replicas)


def connected(mesh: course.Mesh) -> int:
    found = mesh.istioctl("proxy-status").output
    return sum(1 for line in found.splitlines() if "Kubernetes" in line)


CHANGES = (
    flips,
    coming_and_going,
    clusters,
    mutual_tls,
    authorization,
    telemetry,
    rolling_restart,
    restart_of_istiod,
    changes_while_istiod_is_away,
)


def test_no_request_is_lost(mesh: course.Mesh) -> None:
    apply(mesh, subsets("v1", "v2"), weights(v1=50, v2=50))
    found = targets(mesh)
    until(lambda: ready(found))
    report = []
    with Load(found) as load:
        until(lambda: load.counts["200"] > 100)
        for change in CHANGES:
            before, began = dict(load.counts), time.monotonic()
            change(mesh)
            now = {key: load.counts[key] - before.get(key, 0) for key in list(load.counts)}
            seen = {key: value for key, value in now.items() if value}
            report.append(f"{change.__name__}: {seen} in {time.monotonic() - began:.1f} s")
        until(lambda: load.total >= REQUESTS)
    print("\n".join(report))
    print(dict(load.counts), "certificates renewed:", renewals(mesh))
    assert set(load.counts) == {"200"}, report
    assert renewals(mesh) >= 2


def ready(found: list[Target]) -> bool:
    with Load(found, workers=1) as load:
        until(lambda: load.total >= 4)
    return set(load.counts) == {"200"}


def renewals(mesh: course.Mesh) -> int:
    """How often the proxies of httpbin renewed their certificates."""
    return sum(
        mesh.kubectl("logs", f"deploy/{name}", "-c", "istio-proxy").output.count("renewed")
        for name in ("httpbin", "httpbin-v2")
    )
