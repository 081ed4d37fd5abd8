"""Both pages arrive with everything they are made of, each under its own name only."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, page

LOOK = (
    "`%kubectl get gateways.networking.istio.io,virtualservices -A`, "
    'and the flag in `mesh.access_log("istio-ingressgateway")`'
)
#: What scripts of each page ask for, and the other one does not have.
PROMETHEUS, GRAFANA = "/api/v1/status/buildinfo", "/api/health"


def complete(cluster: Cluster, name: str, asked: str) -> Finding:
    """A page, its assets, and a question of its scripts."""
    found = page(cluster, f"http://{name}.example.com/", (asked,))
    missing = "; ".join(map(str, found.missing))
    return Finding(
        found.ok,
        f"{len(found.parts) - len(found.missing)} of {len(found.parts)} arrived"
        + (f", but: {missing}" if missing else ""),
        "the page and all that it loads with status 200",
        LOOK,
    )


@check(
    "Load http://prometheus.example.com/ through the gateway, with all it is made of", converges=8
)
def prometheus(cluster: Cluster) -> Finding:
    return complete(cluster, "prometheus", PROMETHEUS)


@check("Load http://grafana.example.com/ through the gateway, with all it is made of", converges=20)
def grafana(cluster: Cluster) -> Finding:
    return complete(cluster, "grafana", GRAFANA)


@check("Look for each under the name of the other", converges=10)
def apart(cluster: Cluster) -> Finding:
    wrong = {"prometheus": GRAFANA, "grafana": PROMETHEUS}
    found = {
        name: page(cluster, f"http://{name}.example.com{path}").parts[0].status
        for name, path in wrong.items()
    }
    return Finding(
        200 not in found.values() and 0 not in found.values(),
        "; ".join(f"{name}.example.com{wrong[name]}: {status}" for name, status in found.items()),
        "both not found",
        LOOK,
    )
