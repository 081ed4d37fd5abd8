"""Kinds and references as the Gateway API writes them (group and kind, with defaults)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from meshcourse.embedded.istio.model import Config
from meshcourse.embedded.kube.objects import Key

GROUP: Final = "gateway.networking.k8s.io"
_NETWORKING: Final = "networking.istio.io"


class Kind(NamedTuple):
    """A group and a kind."""

    group: str
    kind: str


GATEWAY: Final = Kind(GROUP, "Gateway")
HTTP_ROUTE: Final = Kind(GROUP, "HTTPRoute")
GRPC_ROUTE: Final = Kind(GROUP, "GRPCRoute")
TLS_ROUTE: Final = Kind(GROUP, "TLSRoute")
TCP_ROUTE: Final = Kind(GROUP, "TCPRoute")
SERVICE: Final = Kind("", "Service")
SECRET: Final = Kind("", "Secret")
CONFIG_MAP: Final = Kind("", "ConfigMap")
SERVICE_ENTRY: Final = Kind(_NETWORKING, "ServiceEntry")
HOST_NAME: Final = Kind(_NETWORKING, "Hostname")

ROUTES: Final = (HTTP_ROUTE, GRPC_ROUTE, TLS_ROUTE, TCP_ROUTE)
_VERSIONS: Final = {TCP_ROUTE: "v1alpha2"}


def of_reference(reference: Mapping[str, Any], default: Kind) -> Kind:
    """The kind that a reference names; its group and kind are optional."""
    group, kind = reference.get("group"), reference.get("kind")
    return Kind(default.group if group is None else group, kind or default.kind)


def of_config(config: Config) -> Kind:
    """The kind of a route."""
    return Kind(GROUP, config.kind)


def versioned(kind: Kind) -> str:
    """``gateway.networking.k8s.io/v1/HTTPRoute``."""
    return f"{kind.group}/{_VERSIONS.get(kind, 'v1')}/{kind.kind}"


def target(reference: Mapping[str, Any], namespace: str) -> Key:
    """Namespace (the referring object's by default) and name."""
    return Key(reference.get("namespace") or namespace, str(reference.get("name") or ""))
