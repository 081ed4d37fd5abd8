"""What a traffic policy makes of a cluster: load balancing, connection pool, outlier detection.

Source: istio.io reference of DestinationRule; pilot's cluster_traffic_policy. Fields that Envoy
does not read are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.model import Json, MeshConfig

Policy = Mapping[str, Any]

#: Limits that are no limits, as pilot writes them where nothing else is said.
_UNLIMITED: Final = {
    "max_connections": 4294967295,
    "max_pending_requests": 4294967295,
    "max_requests": 4294967295,
    "max_retries": 4294967295,
    "track_remaining": True,
}
PROTOCOL_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_SIMPLE: Final = {
    "LEAST_CONN": "LEAST_REQUEST",
    "LEAST_REQUEST": "LEAST_REQUEST",
    "RANDOM": "RANDOM",
    "ROUND_ROBIN": "ROUND_ROBIN",
}
_RING_SIZE: Final = 1024


def load_balancing(policy: Policy) -> Json:
    """``lb_policy`` and its configuration."""
    settings = policy.get("loadBalancer") or {}
    if hashing := settings.get("consistentHash"):
        return _hashing(hashing)
    name = _SIMPLE.get(settings.get("simple") or "", "LEAST_REQUEST")
    warmup = _warmup(settings)
    if warmup is None or name == "RANDOM":
        return {"lb_policy": name}
    return {"lb_policy": name, f"{name.lower()}_lb_config": {"slow_start_config": warmup}}


def _warmup(settings: Policy) -> Json | None:
    if warmup := settings.get("warmup"):
        return {
            "slow_start_window": durations.proto(warmup["duration"]),
            "aggression": {
                "default_value": float(warmup.get("aggression", 1.0)),
                "runtime_key": "(",
            },
            "min_weight_percent": {"value": float(warmup.get("minimumPercent", 10.0))},
        }
    seconds = settings.get("warmupDurationSecs")
    if seconds and durations.seconds(seconds) > 0:
        return {"slow_start_window": durations.proto(seconds)}
    return None


def _hashing(hashing: Policy) -> Json:
    if "maglev" in hashing:
        size = (hashing["maglev"] or {}).get("tableSize")
        options = {"maglev_lb_config": {"table_size": int(size)}} if size else {}
        return {"lb_policy": "MAGLEV", **options}
    if "ringHash" in hashing:
        size = (hashing["ringHash"] or {}).get("minimumRingSize")
        options = {"ring_hash_lb_config": {"minimum_ring_size": int(size)}} if size else {}
        return {"lb_policy": "RING_HASH", **options}
    size = int(hashing.get("minimumRingSize") or _RING_SIZE)
    return {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": size}}


def limits(policy: Policy) -> Json:
    """``circuit_breakers``: the connection pool's limits, everything else unlimited."""
    pool = policy.get("connectionPool") or {}
    http, tcp = pool.get("http") or {}, pool.get("tcp") or {}
    given = {
        "max_requests": http.get("http2MaxRequests"),
        "max_pending_requests": http.get("http1MaxPendingRequests"),
        "max_retries": http.get("maxRetries"),
        "max_connections": tcp.get("maxConnections"),
    }
    threshold: Json = {**_UNLIMITED, **{key: v for key, v in given.items() if v}}
    if budget := policy.get("retryBudget"):
        threshold["retry_budget"] = {
            "budget_percent": {"value": float(budget.get("percent", 20.0))},
            "min_retry_concurrency": int(budget.get("minRetryConcurrency") or 3),
        }
    return {"thresholds": [threshold]}


def connection(policy: Policy, mesh: MeshConfig) -> Json:
    """``connect_timeout`` and TCP keep-alive."""
    tcp = (policy.get("connectionPool") or {}).get("tcp") or {}
    result: Json = {
        "connect_timeout": durations.proto(tcp.get("connectTimeout"))
        or durations.render(mesh.connect_timeout)
    }
    if keepalive := tcp.get("tcpKeepalive"):
        options = proto.compact(
            keepalive_probes=keepalive.get("probes"),
            keepalive_time=_whole_seconds(keepalive.get("time")),
            keepalive_interval=_whole_seconds(keepalive.get("interval")),
        )
        result["upstream_connection_options"] = {"tcp_keepalive": options}
    return result


def _whole_seconds(text: str | None) -> int | None:
    return round(durations.seconds(text)) if text else None


def outlier_detection(policy: Policy) -> Json:
    """``outlier_detection``; empty without the policy."""
    outlier = policy.get("outlierDetection")
    if outlier is None:
        return {}
    result: Json = {"enforcing_success_rate": 0}
    for field, name in (
        ("consecutive5xxErrors", "consecutive_5xx"),
        ("consecutiveGatewayErrors", "consecutive_gateway_failure"),
    ):
        if (count := outlier.get(field)) is not None:
            result[name] = int(count)
            result[f"enforcing_{name}"] = 100 if count else 0
    result |= proto.compact(
        interval=durations.proto(outlier.get("interval")),
        base_ejection_time=durations.proto(outlier.get("baseEjectionTime")),
        max_ejection_percent=outlier.get("maxEjectionPercent") or None,
    )
    if outlier.get("splitExternalLocalOriginErrors"):
        result |= _local_origin(outlier)
    return {"outlier_detection": result}


def panic(policy: Policy) -> Json:
    """``healthy_panic_threshold``: with outlier detection nobody is called again unless asked for."""
    outlier = policy.get("outlierDetection")
    if outlier is None:
        return {}
    return {"healthy_panic_threshold": {"value": float(outlier.get("minHealthPercent") or 0)}}


def _local_origin(outlier: Policy) -> Json:
    result: Json = {
        "split_external_local_origin_errors": True,
        "enforcing_local_origin_success_rate": 0,
    }
    if failures := outlier.get("consecutiveLocalOriginFailures"):
        result["consecutive_local_origin_failure"] = int(failures)
        result["enforcing_consecutive_local_origin_failure"] = 100
    return result


def protocol_options(policy: Policy, *, http2: bool, auto: bool, auto_sni: Json) -> Json:
    """``typed_extension_protocol_options``: version of HTTP, idle timeout, requests per connection.

    :param http2: the service port is HTTP/2 or gRPC, or an upgrade was asked for.
    :param auto: the protocol is not known: use what the client used.
    :param auto_sni: ``upstream_http_protocol_options`` (for TLS origination), may be empty.
    """
    pool = policy.get("connectionPool") or {}
    http, tcp = pool.get("http") or {}, pool.get("tcp") or {}
    common = proto.compact(
        idle_timeout=durations.proto(http.get("idleTimeout") or tcp.get("idleTimeout")),
        max_requests_per_connection=http.get("maxRequestsPerConnection") or None,
        max_connection_duration=durations.proto(tcp.get("maxConnectionDuration")),
    )
    version = _version(http, http2=http2, auto=auto)
    if not common and not auto_sni and version is _HTTP1:
        return {}
    options = proto.typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options=common or None,
        upstream_http_protocol_options=auto_sni or None,
        **version,
    )
    return {"typed_extension_protocol_options": {PROTOCOL_OPTIONS: options}}


_HTTP1: Final[Json] = {"explicit_http_config": {"http_protocol_options": {}}}
_CLIENTS: Final[Json] = {
    "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}
}


def _version(http: Policy, *, http2: bool, auto: bool) -> Json:
    if auto or http.get("useClientProtocol"):
        return _CLIENTS
    if not http2:
        return _HTTP1
    streams = proto.compact(max_concurrent_streams=http.get("maxConcurrentStreams") or None)
    return {"explicit_http_config": {"http2_protocol_options": streams}}


def follows(policy: Policy, *, auto: bool) -> bool:
    """Whether requests are sent on in the client's version of HTTP."""
    http = (policy.get("connectionPool") or {}).get("http") or {}
    return auto or bool(http.get("useClientProtocol"))


def upgrades(policy: Policy, mesh: MeshConfig) -> bool:
    """Whether HTTP/1 ports are to be called with HTTP/2 (``h2UpgradePolicy``)."""
    http = (policy.get("connectionPool") or {}).get("http") or {}
    if http.get("useClientProtocol"):
        return False
    wanted = http.get("h2UpgradePolicy", "DEFAULT")
    return bool(wanted == "UPGRADE" or (wanted == "DEFAULT" and mesh.h2_upgrade))
