"""Envoy's bootstrap for one proxy. Pure: settings in, JSON out.

Paths are relative to Envoy's working directory, the container's ``/etc/istio/proxy``. What must
exist before the first xDS response, or cannot come by xDS at all, is here: the admin interface, the
cluster of istiod, the slot for a log collector (Envoy's Fluentd logger accepts static clusters only),
the readiness listener.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from meshcourse.embedded.istiod.agent.settings import Settings

Json = dict[str, Any]

ADMIN_SOCKET: Final = "./admin.sock"
CERTIFICATE_FILE: Final = "./sds/default.json"
ROOTS_FILE: Final = "./sds/rootca.json"
SYSTEM_ROOTS_FILE: Final = "./sds/system.pem"
XDS_CLUSTER: Final = "xds-grpc"
ADMIN_CLUSTER: Final = "prometheus_stats"
STATUS_PORT: Final = 15021
#: The scope of Istio's metrics, the same as `istio.build.metrics.SCOPE` (this room loads nothing of that).
STATS_SCOPE: Final = {"prefix": "wasmcustom", "sharing_name": "istio"}
#: Clusters whose addresses istiod sends as endpoints of that name, empty while no such collector is installed.
SLOTS: Final = ("fluentd",)

#: Envoy's own longest pause (30 s) spares a control plane of thousands of proxies; a learner waits for it.
_RECONNECT: Final[Json] = {
    "retry_policy": {"retry_back_off": {"base_interval": "0.2s", "max_interval": "1.5s"}}
}
_T: Final = "type.googleapis.com/envoy."
_ADS: Final[Json] = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
_LOG_FORMAT: Final = "%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t"

#: Statistics that Istio keeps by default (pilot-agent's required matchers); others on request by annotation.
_PREFIXES: Final = (
    "cluster_manager",
    "listener_manager",
    "server",
    f"cluster.{XDS_CLUSTER}",
    "wasmcustom",
    "reporter=",
    "component",
    "istio",
)
_SUFFIXES: Final = (
    "rbac.allowed",
    "rbac.denied",
    "shadow_allowed",
    "shadow_denied",
    "downstream_rq_active",
    "downstream_cx_active",
    "ssl_context_update_by_sds",
)


def build(settings: Settings, discovery: tuple[str, int], status: tuple[str, int]) -> Json:
    """The bootstrap.

    :param discovery: where istiod serves xDS.
    :param status: where the readiness listener listens.
    """
    return {
        "node": {
            "id": settings.node_id,
            "cluster": f"{settings.canonical_service}.{settings.namespace}",
            "metadata": dict(settings.metadata),
        },
        "admin": {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}},
        "application_log_config": {"log_format": {"text_format": _LOG_FORMAT}},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
        "bootstrap_extensions": [_typed("bootstrap.internal_listener", "InternalListener")],
        "overload_manager": {"resource_monitors": [_connection_limit()]},
        "cluster_manager": {
            # Peers see the pod's own address, as they do in a real cluster.
            "upstream_bind_config": {"source_address": {"address": settings.ip, "port_value": 0}}
        },
        "dynamic_resources": _dynamic(),
        "static_resources": {
            "clusters": [_istiod(*discovery), _admin(), *(_slot(name) for name in SLOTS)],
            "listeners": [_readiness(*status)],
        },
        "stats_flush_interval": _flush_interval(settings),
        "stats_config": {
            "stats_matcher": {"inclusion_list": {"patterns": list(_patterns(settings))}}
        },
    }


def _typed(path: str, message: str, **fields: Any) -> Json:
    return {
        "name": f"envoy.{path}",
        "typed_config": {"@type": f"{_T}extensions.{path}.v3.{message}", **fields},
    }


def _connection_limit() -> Json:
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": f"{_T}extensions.resource_monitors.downstream_connections.v3"
            ".DownstreamConnectionsConfig",
            "max_active_downstream_connections": 50_000,
        },
    }


def _dynamic() -> Json:
    return {
        "lds_config": _ADS,
        "cds_config": _ADS,
        "ads_config": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER, **_RECONNECT}}],
        },
    }


def _http2() -> Json:
    name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    keepalive = {"interval": "30s", "timeout": "10s"}
    options = {"http2_protocol_options": {"connection_keepalive": keepalive}}
    return {name: {"@type": f"type.googleapis.com/{name}", "explicit_http_config": options}}


def _istiod(host: str, port: int) -> Json:
    """istiod's Service over mutual TLS with the workload's own certificate, so that it knows who asks."""
    return {
        "name": XDS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": _assignment(XDS_CLUSTER, _socket(host, port)),
        "typed_extension_protocol_options": _http2(),
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{_T}extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": "istiod.istio-system.svc",
                "common_tls_context": {
                    "alpn_protocols": ["h2"],
                    "tls_certificate_sds_secret_configs": [_file("default", CERTIFICATE_FILE)],
                    "combined_validation_context": {
                        "default_validation_context": {
                            "match_typed_subject_alt_names": [
                                {"san_type": "DNS", "matcher": {"exact": "istiod.istio-system.svc"}}
                            ]
                        },
                        "validation_context_sds_secret_config": _file("ROOTCA", ROOTS_FILE),
                    },
                },
            },
        },
    }


def _file(name: str, path: str) -> Json:
    source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
    return {"name": name, "sds_config": source}


def _admin() -> Json:
    return {
        "name": ADMIN_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "0.250s",
        "load_assignment": _assignment(ADMIN_CLUSTER, {"pipe": {"path": ADMIN_SOCKET}}),
    }


def _slot(name: str) -> Json:
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"service_name": name, "eds_config": _ADS},
    }


def _assignment(name: str, address: Json) -> Json:
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
    }


def _socket(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _readiness(host: str, port: int) -> Json:
    """``/healthz/ready`` on the status port: ready when Envoy has its first configuration."""
    route = {
        "match": {"path": "/healthz/ready"},
        "route": {"cluster": ADMIN_CLUSTER, "prefix_rewrite": "/ready"},
    }
    manager = _typed(
        "filters.network.http_connection_manager",
        "HttpConnectionManager",
        stat_prefix="agent",
        access_log=[_keeper()],
        route_config={"virtual_hosts": [{"name": "agent", "domains": ["*"], "routes": [route]}]},
        http_filters=[_typed("filters.http.router", "Router")],
    )
    return {
        "name": "agent",
        "address": _socket(host, port),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [manager]}],
    }


def _keeper() -> Json:
    """Holds the scope of Istio's metrics for as long as Envoy runs, and never counts anything itself.

    Envoy forgets a shared scope, and with it all counters, when the last logger that uses it goes.
    """
    logger = _typed("access_loggers.stats", "Config", stats_scope=STATS_SCOPE)
    return {**logger, "filter": {"log_type_filter": {"types": ["TcpUpstreamConnected"]}}}


def _flush_interval(settings: Settings) -> str:
    return settings.annotations.get("sidecar.istio.io/statsFlushInterval") or "5s"


def _patterns(settings: Settings) -> Iterable[Json]:
    matcher: Mapping[str, Any] = settings.proxy_config.get("proxyStatsMatcher") or {}
    for prefix in (*_PREFIXES, *_asked(settings, matcher, "Prefixes")):
        yield {"prefix": prefix}
    for suffix in (*_SUFFIXES, *_asked(settings, matcher, "Suffixes")):
        yield {"suffix": suffix}
    for regex in (r"vhost\..*\.route\..*", *_asked(settings, matcher, "Regexps")):
        yield {"safe_regex": {"regex": regex}}


def _asked(settings: Settings, matcher: Mapping[str, Any], what: str) -> list[str]:
    """``sidecar.istio.io/statsInclusionPrefixes`` and its sisters; else ``proxyStatsMatcher``."""
    text = settings.annotations.get(f"sidecar.istio.io/statsInclusion{what}")
    if text:
        return [part.strip() for part in text.split(",") if part.strip()]
    return list(matcher.get(f"inclusion{what}") or ())
