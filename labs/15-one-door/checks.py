"""Every call leaves by the egress gateway, counted in its own log, and nothing else leaves."""

from __future__ import annotations

import time
import uuid

from meshcourse.lab import Cluster, Finding, access_log, ask, check

HOST, ALIAS = "http://api.world/get", "http://api.world.svc.cluster.local/get"
GATEWAY = "istio-egressgateway"
N = 30
#: Seconds until Envoy has written its log.
PATIENCE = 5.0


@check("Let curl call api.world", converges=4)
def reached(cluster: Cluster) -> Finding:
    found = ask(cluster, "curl", HOST, n=N)
    return Finding(
        found.refused == 0,
        repr(found),
        f"{N} times 200",
        "`%istioctl proxy-config routes deploy/curl`: does its Envoy know the host, and where does it send it?",
    )


@check(f"Send {N} calls and look for them in the log of the egress gateway", converges=4)
def by_the_door(cluster: Cluster) -> Finding:
    mark = uuid.uuid4().hex
    answered = ask(cluster, "curl", f"{HOST}?mark={mark}", n=N)
    deadline, seen = time.monotonic() + PATIENCE, 0
    while seen < N and not answered.refused and time.monotonic() < deadline:
        seen = len(access_log(cluster, GATEWAY, containing=mark, last=None))
        time.sleep(0.2)
    return Finding(
        answered.refused == 0 and seen == N,
        f"{N - answered.refused} answered, {seen} in the gateway's log",
        f"{N} answered, and all {N} in the log",
        "`%kubectl get virtualservices,gateways`: which half of the way is missing?",
    )


@check("Let curl call the same server by a name that nobody has entered")
def nothing_else(cluster: Cluster) -> Finding:
    found = ask(cluster, "curl", ALIAS, n=N)
    return Finding(
        found.statuses == {502: N},
        repr(found),
        f"{N} times 502",
        "`%kubectl get sidecars,serviceentries -o yaml`: the policy stays REGISTRY_ONLY, the list short",
    )
