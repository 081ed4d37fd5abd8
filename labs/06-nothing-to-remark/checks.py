"""Kiali is content, and so are the visitors."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, kiali, traffic

N = 200


@check("Ask Kiali what it has to remark in the namespace default", converges=20)
def content(cluster: Cluster) -> Finding:
    found = kiali(cluster).remarks("default")
    return Finding(
        len(found) == 0 and found.objects > 0,
        repr(found),
        "nothing to remark",
        "`mesh.kiali.remarks()`: the code, the object, and where in it",
    )


@check("Wait until the rules have reached the proxies: 20 answers from v2 in a row", converges=10)
def arrived(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=20, rate=50)
    return Finding(
        result.versions == {"v2": 20},
        f"{result.versions}",
        "20 from v2",
        "`%istioctl proxy-status`: has every proxy got its routes?",
    )


@check(f"Send {N} requests to /productpage and look at the stars")
def second_version(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=50)
    return Finding(
        result.versions == {"v2": N},
        f"{result.versions}",
        f"all {N} from v2",
        "`%kubectl get virtualservices,destinationrules`: are both there, and do they fit?",
    )
