"""kube-proxy's view as Envoy configuration (proto3 JSON). Pure.

Source: Envoy v3 API reference; that forward proxying works (CONNECT, HTTP/1.0 clients) is tested with a real Envoy.
Retries happen only where no byte of the request can have been sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.kubelet.proxy.model import Address, ServicePort, View

Json = dict[str, Any]

_TYPE = "type.googleapis.com/"
_EXTERNAL = "external"
_UNLIMITED = 1 << 20
_DNS_CACHE = {"name": "system", "dns_lookup_family": "V4_PREFERRED"}
CLUSTERS, LISTENERS, ROUTES = "clusters", "listeners", "routes"
#: The HTTP filter that looks names up.
_NAMES = "names"
#: Says which namespace's forward proxy a request came to; removed before the request goes on.
_NAMESPACE = "x-meshcourse-namespace"
_TYPES = {
    CLUSTERS: "envoy.config.cluster.v3.Cluster",
    LISTENERS: "envoy.config.listener.v3.Listener",
    ROUTES: "envoy.config.route.v3.RouteConfiguration",
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
    proxy = _forward_proxy(namespace)
    return {
        "name": f"forward {namespace}",
        "address": _address(address),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": proxy}]}],
    }


def _forward_proxy(namespace: str) -> Json:
    """Takes absolute-form requests and CONNECT, and changes nothing else about them.

    All namespaces share one route configuration (and one watched file); a header that does not leave this proxy tells
    them apart.
    """
    names = _any(
        "extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig", dns_cache_config=_DNS_CACHE
    )
    router = _any("extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    return _any(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="forward",
        rds={"route_config_name": ROUTES, "config_source": file_source(ROUTES)},
        early_header_mutation_extensions=[_mark(namespace)],
        http_filters=[
            {"name": _NAMES, "typed_config": names},
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


def _mark(namespace: str) -> Json:
    header = {"key": _NAMESPACE, "value": namespace}
    change = {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    mutation = _any(
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[change],
    )
    return {"name": "namespace", "typed_config": mutation}


def routes(view: View) -> Json:
    """How the forward proxies resolve names: full names for everybody, short ones by the caller's namespace."""
    short: dict[tuple[str, int], list[Json]] = {}
    hosts: list[Json] = []
    for target in _targets(view):
        hosts.append(
            _virtual_host(f"{target.namespace}/{target.name}:{target.port}", target.full, [target])
        )
        short.setdefault((target.name, target.port), []).extend(_routes(target, target.namespace))
    for (name, port), found in short.items():
        elsewhere = _routes(_Target("", name, port, _EXTERNAL))
        domains = _with_port([name], port)
        hosts.append({"name": f"{name}:{port}", "domains": domains, "routes": found + elsewhere})
    anything = _virtual_host("anything else", ["*"], [_Target("", "", 0, _EXTERNAL)])
    return {
        "name": ROUTES,
        "virtual_hosts": [*hosts, anything],
        "request_headers_to_remove": ["x-forwarded-proto", _NAMESPACE],
        "validate_clusters": False,
    }


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a name and port lead.

    :param host: the name to look up instead, for a Service of type ExternalName.
    """

    namespace: str
    name: str
    port: int
    cluster: str
    host: str = ""

    @property
    def full(self) -> list[str]:
        """The authorities that mean this target in any namespace."""
        stem = f"{self.name}.{self.namespace}"
        names = [stem, f"{stem}.svc", f"{stem}.svc.cluster.local", f"{stem}.svc.cluster.local."]
        return _with_port(names, self.port)


def _targets(view: View) -> Iterator[_Target]:
    for port in view.ports:
        yield _Target(*port.service, port.port, port.cluster)
    for external in view.externals:
        for number in external.ports:
            host = external.host if number == 80 else f"{external.host}:{number}"
            yield _Target(*external.service, number, _EXTERNAL, host)


def _with_port(names: list[str], port: int) -> list[str]:
    """Without a port the scheme's default is meant."""
    found = [f"{name}:{port}" for name in names]
    return found + names if port == 80 else found


def _virtual_host(name: str, domains: list[str], targets: list[_Target]) -> Json:
    found = [route for target in targets for route in _routes(target)]
    return {"name": name, "domains": domains, "routes": found}


def _routes(target: _Target, namespace: str = "") -> list[Json]:
    """A tunnel and requests to a target, for callers of one namespace or for all."""
    action: Json = {"cluster": target.cluster, "timeout": "0s"}
    upgrade = {"upgrade_type": "CONNECT", "connect_config": {}}
    retry = {"retry_on": "connect-failure,reset-before-request", "num_retries": 2}
    found: list[Json] = [
        {"match": {"connect_matcher": {}}, "route": {**action, "upgrade_configs": [upgrade]}},
        {"match": {"prefix": "/"}, "route": {**action, "retry_policy": retry}},
    ]
    for route in found:
        if namespace:
            route["match"]["headers"] = [{"name": _NAMESPACE, "string_match": {"exact": namespace}}]
        if target.host:
            route["typed_per_filter_config"] = {
                _NAMES: _any(
                    "extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig",
                    host_rewrite_literal=target.host,
                )
            }
    return found


def _thresholds() -> Json:
    names = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return dict.fromkeys(names, _UNLIMITED)


def _address(address: Address) -> Json:
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def _any(type_: str, **fields: Any) -> Json:
    return {"@type": f"{_TYPE}envoy.{type_}", **fields}
