"""Small pieces that every Envoy message is made of, as proto3-JSON."""

from __future__ import annotations

from typing import Any, Final

from meshcourse.embedded.istio.model import Json

TYPE: Final = "type.googleapis.com/"

#: Resources that arrive over the same ADS stream; without a fetch timeout, so that warming waits
#: for them.
ADS: Final[Json] = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}

RAW_BUFFER: Final[Json] = {
    "name": "envoy.transport_sockets.raw_buffer",
    "typed_config": {"@type": f"{TYPE}envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"},
}
NO_TIMEOUT: Final = "0s"


def typed(message: str, **fields: Any) -> Json:
    """An Any: ``envoy.`` is put before `message`; fields that are None are left out."""
    kept = {key: value for key, value in fields.items() if value is not None}
    return {"@type": f"{TYPE}envoy.{message}", **kept}


def named(name: str, message: str, **fields: Any) -> Json:
    """An extension: ``{"name": …, "typed_config": Any}``."""
    return {"name": name, "typed_config": typed(message, **fields)}


def compact(**fields: Any) -> Json:
    """The fields that are neither None nor empty (as proto3 would not send them either)."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}


def address(host: str, port: int) -> Json:
    """A ``core.v3.Address``."""
    return {"socket_address": {"address": host, "port_value": port}}


def percent(value: float) -> Json:
    """A ``type.v3.FractionalPercent`` in millionths, as pilot writes it; `value` is 0–100."""
    return {"numerator": int(value * 10_000), "denominator": "MILLION"}


def runtime_percent(value: float) -> Json:
    """A ``core.v3.RuntimeFractionalPercent``."""
    return {"default_value": percent(value)}


def sds_file(name: str, path: str) -> Json:
    """An SdsSecretConfig whose secret is read from a file that Envoy watches."""
    source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
    return {"name": name, "sds_config": source}


def sds_ads(name: str) -> Json:
    """An SdsSecretConfig served by istiod; Envoy waits 15 s (its default) for a secret that does
    not exist.
    """
    return {"name": name, "sds_config": {"ads": {}, "resource_api_version": "V3"}}


def static_assignment(name: str, *endpoints: Json) -> Json:
    """A ClusterLoadAssignment with fixed addresses (``core.v3.Address``)."""
    found = [{"endpoint": {"address": one}} for one in endpoints]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": found}]}
