"""The resource types of xDS v3 that istiod serves, by the short names used in logs and in ``proxy-status``."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "type.googleapis.com/"

CDS: Final = PREFIX + "envoy.config.cluster.v3.Cluster"
EDS: Final = PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LDS: Final = PREFIX + "envoy.config.listener.v3.Listener"
RDS: Final = PREFIX + "envoy.config.route.v3.RouteConfiguration"
SDS: Final = PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
ECDS: Final = PREFIX + "envoy.config.core.v3.TypedExtensionConfig"

#: Make before break: clusters, their endpoints, then what refers to them.
ORDER: Final = (CDS, EDS, SDS, ECDS, LDS, RDS)

#: Short names as Istio prints them.
SHORT: Final = {CDS: "CDS", EDS: "EDS", LDS: "LDS", RDS: "RDS", SDS: "SDS", ECDS: "ECDS"}

#: Types for which a response is the whole state: a resource that is missing is deleted.
WHOLE_STATE: Final = frozenset({CDS, LDS})


def short(type_url: str) -> str:
    """``CDS`` for a cluster's type URL; other types by their message name."""
    return SHORT.get(type_url) or type_url.rsplit(".", 1)[-1]
