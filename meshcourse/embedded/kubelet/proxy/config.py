"""kube-proxy's view as Envoy configuration (proto3 JSON). Pure.

Source: Envoy v3 API reference; that forward proxying works (CONNECT, HTTP/1.0 clients) is tested with a real Envoy.
Retries happen only where no byte of the request can have been sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meshcourse.embedded.kube.objects import Key
from meshcourse.embedded.kubelet.proxy.model import Address, External, ServicePort, View

Json = dict[str, Any]

_TYPE = "type.googleapis.com/"
_EXTERNAL = "external"
_UNLIMITED = 1 << 20
_DNS_CACHE = {"name": "system", "dns_lookup_family": "V4_PREFERRED"}
CLUSTERS, LISTENERS = "clusters", "listeners"
_TYPES = {
    CLUSTERS: "envoy.config.cluster.v3.Cluster",
    LISTENERS: "envoy.config.listener.v3.Listener",
    "routes": "envoy.config.route.v3.RouteConfiguration",
}


def bootstrap(node: str, cluster: str) -> Json:
    """The static part; file names are relative to Envoy's working directory."""
    return {
        "node": {"id": node, "cluster": cluster},
        "admin": {"address": {"pipe": {"path": "admin.sock", "mode": 0o600}}},
        "dynamic_resources": {
            "cds_config": file_source(CLUSTERS),
            "lds_config": file_source(LISTENERS),
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": _any(
                        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        max_active_downstream_connections=50000,
                    ),
                }
            ]
        },
    }


def file_source(name: str) -> Json:
    """A configuration source that follows a file when it is replaced."""
    return {"path_config_source": {"path": f"./{name}.json"}, "resource_api_version": "V3"}


def response(kind: str, version: str, resources: Iterable[Json]) -> Json:
    """The content of a configuration file: a DiscoveryResponse.

    :param kind: ``clusters``, ``listeners`` or ``routes``.
    """
    type_ = _TYPE + _TYPES[kind]
    return {
        "version_info": version,
        "resources": [{"@type": type_, **resource} for resource in resources],
    }


def clusters(view: View) -> list[Json]:
    """A cluster per Service port, and one for everything outside.

    Endpoints are inside the clusters: a file of endpoints per cluster would cost an inotify instance each, of which a
    user has 128. Envoy replaces a changed cluster and lets what is under way finish.
    """
    return [*(_cluster(port) for port in view.ports), _outside()]


def _cluster(port: ServicePort) -> Json:
    return {
        "name": port.cluster,
        "type": "STATIC",
        "lb_policy": "RANDOM",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "load_assignment": {
            "cluster_name": port.cluster,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(e)}} for e in port.endpoints]}
            ],
        },
    }


def _outside() -> Json:
    config = _any(
        "extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig", dns_cache_config=_DNS_CACHE
    )
    return {
        "name": _EXTERNAL,
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": config},
    }


def listeners(
    view: View, blocked: Mapping[Address, str], forward: Mapping[str, Address]
) -> list[Json]:
    """A listener per address of a Service that has endpoints, and the forward proxy of each namespace.

    A Service without endpoints has no listener: connections are refused, as kube-proxy rejects them.

    :param blocked: addresses that cannot be had, with the reason.
    :param forward: where the forward proxy of a namespace listens.
    """
    found = [
        _tcp_listener(port, address)
        for port in view.ports
        if port.endpoints
        for address in port.listen
        if address not in blocked
    ]
    return found + [_forward_listener(namespace, address) for namespace, address in forward.items()]


def _tcp_listener(port: ServicePort, address: Address) -> Json:
    proxy = _any(
        "extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="service",
        cluster=port.cluster,
        idle_timeout="0s",
        max_connect_attempts=3,
    )
    return {
        "name": f"{port.cluster} {address[0]}:{address[1]}",
        "address": _address(address),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}],
    }


def _forward_listener(namespace: str, address: Address) -> Json:
    return {
        "name": f"forward {namespace}",
        "address": _address(address),
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": _forward_proxy(namespace)}]}
        ],
    }


def _forward_proxy(namespace: str) -> Json:
    """Takes absolute-form requests and CONNECT, and changes nothing else about them."""
    name = route_name(namespace)
    names = _any(
        "extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig", dns_cache_config=_DNS_CACHE
    )
    router = _any("extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    return _any(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        rds={"route_config_name": name, "config_source": file_source(name)},
        http_filters=[
            {"name": "names", "typed_config": names},
            {"name": "router", "typed_config": router},
        ],
        upgrade_configs=[{"upgrade_type": "CONNECT"}, {"upgrade_type": "websocket"}],
        http_protocol_options={"accept_http_10": True},
        http2_protocol_options={"allow_connect": True},
        server_header_transformation="PASS_THROUGH",
        generate_request_id=False,
        use_remote_address=False,
        skip_xff_append=True,
        stream_idle_timeout="0s",
    )


def route_name(namespace: str) -> str:
    """The name of a namespace's route configuration, and of its file."""
    return f"routes-{namespace}"


def routes(view: View, namespace: str) -> Json:
    """How the forward proxy resolves names as seen from `namespace`."""
    hosts = [_service_host(port, namespace) for port in view.ports]
    hosts += [host for external in view.externals for host in _external_hosts(external, namespace)]
    return {
        "name": route_name(namespace),
        "virtual_hosts": [*hosts, _virtual_host("anything else", ["*"], _EXTERNAL)],
        "request_headers_to_remove": ["x-forwarded-proto"],
        "validate_clusters": False,
    }


def _service_host(port: ServicePort, namespace: str) -> Json:
    return _virtual_host(port.cluster, domains(port.service, port.port, namespace), port.cluster)


def domains(service: Key, port: int, namespace: str) -> list[str]:
    """Every way to write a Service's port as an authority; without a port the scheme's default is meant."""
    full = f"{service.name}.{service.namespace}"
    names = [full, f"{full}.svc", f"{full}.svc.cluster.local", f"{full}.svc.cluster.local."]
    if service.namespace == namespace:
        names.insert(0, service.name)
    found = [f"{name}:{port}" for name in names]
    return found + names if port == 80 else found


def _external_hosts(external: External, namespace: str) -> Iterable[Json]:
    for port in external.ports:
        names = domains(external.service, port, namespace)
        host = _virtual_host(
            f"{external.service.namespace}/{external.service.name}:{port}", names, _EXTERNAL
        )
        target = external.host if port == 80 else f"{external.host}:{port}"
        for route in host["routes"]:
            route["typed_per_filter_config"] = {
                "names": _any(
                    "extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig",
                    host_rewrite_literal=target,
                )
            }
        yield host


def _virtual_host(name: str, names: list[str], cluster: str) -> Json:
    tunnel = {
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": cluster,
            "timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    }
    request = {
        "match": {"prefix": "/"},
        "route": {
            "cluster": cluster,
            "timeout": "0s",
            "retry_policy": {"retry_on": "connect-failure,reset-before-request", "num_retries": 2},
        },
    }
    return {"name": name, "domains": names, "routes": [tunnel, request]}


def _thresholds() -> Json:
    names = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return dict.fromkeys(names, _UNLIMITED)


def _address(address: Address) -> Json:
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def _any(type_: str, **fields: Any) -> Json:
    return {"@type": f"{_TYPE}envoy.{type_}", **fields}
