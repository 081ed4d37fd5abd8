"""The HTTP connection manager as Istio sets it up for each direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.model import Json, MeshConfig

NAME: Final = "envoy.filters.network.http_connection_manager"
_MESSAGE: Final = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

_NORMALIZATION: Final[dict[str, Json]] = {
    "NONE": {"normalize_path": False},
    "BASE": {"normalize_path": True},
    "DEFAULT": {"normalize_path": True},
    "MERGE_SLASHES": {"normalize_path": True, "merge_slashes": True},
    "DECODE_AND_MERGE_SLASHES": {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
    },
}


@dataclass(frozen=True, slots=True)
class Manager:
    """What differs between connection managers.

    :param route: the RDS name it follows.
    :param logs: its access loggers, metrics among them.
    :param tracing: ``HttpConnectionManager.Tracing`` or None.
    """

    stat_prefix: str
    route: str
    filters: Sequence[Json]
    logs: Sequence[Json]
    tracing: Json | None = None


def build(manager: Manager, mesh: MeshConfig, **more: Any) -> Json:
    """The network filter; `more` are further fields of HttpConnectionManager."""
    fields: dict[str, Any] = {
        "stat_prefix": manager.stat_prefix,
        "codec_type": "AUTO",
        "rds": {"route_config_name": manager.route, "config_source": proto.ADS},
        "http_filters": list(manager.filters),
        "access_log": list(manager.logs),
        "tracing": manager.tracing,
        "stream_idle_timeout": proto.NO_TIMEOUT,
        "use_remote_address": False,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        **_NORMALIZATION.get(mesh.path_normalization, _NORMALIZATION["BASE"]),
    }
    return proto.named(NAME, _MESSAGE, **{**fields, **more})
