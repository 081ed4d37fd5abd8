"""Good requests leave no line, bad ones do."""

from __future__ import annotations

import time
import uuid

from meshcourse.lab import Cluster, Finding, access_log, check, traffic

GATEWAY = "istio-ingressgateway"
#: Envoys write their lines within this time (seconds).
FLUSH = 12.0


def lines(cluster: Cluster, path: str, n: int, wanted: int) -> int:
    """Send `n` requests that nobody else sends; how many lines they leave at the gateway."""
    agent = f"check-{uuid.uuid4().hex[:12]}"
    traffic(cluster, path, n=n, rate=40, headers={"User-Agent": agent})
    deadline = time.monotonic() + FLUSH
    found = 0
    while time.monotonic() < deadline and (wanted == 0 or found < wanted):
        found = len(access_log(cluster, GATEWAY, containing=agent))
        time.sleep(0.3)
    return found


@check("Send 20 requests to a path that does not exist, and count the gateway's lines")
def bad(cluster: Cluster) -> Finding:
    traffic(cluster, "/api/v1/products", seconds=2, rate=40)  # connections from before are closed
    found = lines(cluster, "/nowhere", 20, 20)
    return Finding(
        found == 20,
        f"{found} lines",
        "20 lines",
        "`%kubectl get telemetry -A -o yaml`: is the expression true for a 404?",
    )


@check("Send 40 good requests, and count the gateway's lines")
def good(cluster: Cluster) -> Finding:
    found = lines(cluster, "/api/v1/products", 40, 0)
    return Finding(
        found == 0,
        f"{found} lines",
        "none",
        "`%kubectl explain telemetry.spec.accessLogging.filter`",
    )
