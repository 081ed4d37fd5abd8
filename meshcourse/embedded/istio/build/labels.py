"""What proxies know of each other, and the labels of Istio's metrics made of it.

Source: istio.io "Istio Standard Metrics". Values about the other side come from endpoint metadata
(client) and from peer headers kept as filter state (server); values about this proxy come from
Envoy's environment, so that relabelling a pod does not touch listeners. A missing value reads
``unknown``.
"""

from __future__ import annotations

import json
from typing import Any, Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.model import Json, Service

#: Metadata namespace of clusters, endpoints and routes that the formatters read.
METADATA: Final = "mesh"
#: Facts exchanged between sidecars: the key in metadata and, in another spelling, in headers.
PEER: Final = (*names.PEER_ENVIRONMENT, "cluster")


def peer_header(key: str) -> str:
    """The request header in which a sidecar tells its peer who it is."""
    return f"x-mesh-peer-{key.replace('_', '-')}"


def peer_state(key: str) -> str:
    """The filter state in which the server keeps what the header said."""
    return f"mesh.peer.{key}"


def or_unknown(command: str, parameter: str = "") -> str:
    """A formatter that yields ``unknown`` where `command` yields nothing."""
    first = {"command": command, "param": parameter} if parameter else command
    return first_of(first, "unknown")


def first_of(command: Any, constant: str) -> str:
    """The value of a formatter, or else a constant (which only CEL can express)."""
    operators = [command, {"command": "CEL", "param": f"'{constant}'"}]
    return f"%COALESCE({json.dumps({'operators': operators}, separators=(',', ':'))})%"


def own(key: str) -> str:
    """A formatter of a fact about this proxy."""
    if key == "cluster":
        return names.CLUSTER_ID
    return f"%ENVIRONMENT({names.PEER_ENVIRONMENT[key]})%"


_SIDE_KEYS: Final = {
    "workload": "workload",
    "workload_namespace": "namespace",
    "canonical_service": "canonical_service",
    "canonical_revision": "canonical_revision",
    "app": "app",
    "version": "version",
    "cluster": "cluster",
}


def _self(key: str) -> str:
    if key == "cluster":
        return names.CLUSTER_ID
    return or_unknown("ENVIRONMENT", names.PEER_ENVIRONMENT[key])


def _side(side: str, template: str, parameter: str, principal: str) -> dict[str, str]:
    """The labels of one side; `template` is a formatter command, or "" for this proxy itself."""
    labels = {
        f"{side}_{label}": or_unknown(template, parameter.format(key)) if template else _self(key)
        for label, key in _SIDE_KEYS.items()
    }
    return {**labels, f"{side}_principal": principal}


def _service(kind: str) -> dict[str, str]:
    """Labels of the called service, from the metadata of the cluster (client) or route (server)."""
    keys = {"service": "service", "service_name": "name", "service_namespace": "namespace"}
    return {
        f"destination_{label}": or_unknown("METADATA", f"{kind}:{METADATA}:{key}")
        for label, key in keys.items()
    }


def source() -> dict[str, str]:
    """Labels of the client's report, without those of the request itself."""
    return {
        "reporter": "source",
        **_side("source", "", "", or_unknown("UPSTREAM_LOCAL_URI_SAN")),
        **_side(
            "destination",
            "UPSTREAM_METADATA",
            f"{METADATA}:{{}}",
            or_unknown("UPSTREAM_PEER_URI_SAN"),
        ),
        **_service("CLUSTER"),
        "connection_security_policy": "unknown",
    }


def destination(*, mutual_tls: bool, tcp: bool = False) -> dict[str, str]:
    """Labels of the server's report on one filter chain.

    TCP has no headers, so that the server knows its peer by identity only; what is called is noted
    in the cluster instead of the route.
    """
    return {
        "reporter": "destination",
        **_side(
            "source", "FILTER_STATE", "mesh.peer.{}:PLAIN", or_unknown("DOWNSTREAM_PEER_URI_SAN")
        ),
        **_side("destination", "", "", or_unknown("DOWNSTREAM_LOCAL_URI_SAN")),
        **_service("CLUSTER" if tcp else "ROUTE"),
        "connection_security_policy": "mutual_tls" if mutual_tls else "none",
    }


def service_metadata(service: Service) -> Json:
    """What clusters (client) and routes (server) say of the service, for the labels above."""
    facts = {
        "service": service.hostname,
        "name": service.name,
        "namespace": service.namespace,
    }
    return {"filter_metadata": {METADATA: facts}}
