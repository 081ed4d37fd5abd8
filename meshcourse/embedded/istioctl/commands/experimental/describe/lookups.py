"""Which Istio objects a proxy's configuration came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from meshcourse.embedded.istioctl.commands.experimental import authz
from meshcourse.embedded.istioctl.commands.proxy_config import dump
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object

Json = dict[str, Any]
_PATH: Final = re.compile(
    r"/apis/networking(?:\.istio\.io)?/v1(?:alpha3|beta1)?/namespaces/([^/]+)/([^/]+)/([^/]+)$"
)


class Source(NamedTuple):
    """``virtual-service`` or ``destination-rule``, and which."""

    kind: str
    key: Key


def source(resource: Json) -> Source | None:
    """The object that the metadata of a route or cluster names."""
    metadata = (resource.get("metadata") or {}).get("filter_metadata") or {}
    found = _PATH.match(str((metadata.get("istio") or {}).get("config") or ""))
    return Source(found[2], Key(found[1], found[3])) if found else None


def _fqdn(service: Object) -> str:
    return f"{objects.name(service)}.{objects.namespace(service)}.svc.cluster.local"


def destination_rule(config: Json, service: Object, port: int) -> Key | None:
    """The DestinationRule by which a proxy calls a service's port."""
    for cluster in dump.clusters(config):
        parts = str(cluster.get("name", "")).split("|")
        if parts[0] == "outbound" and parts[1:2] == [str(port)] and parts[-1] == _fqdn(service):
            found = source(cluster)
            return found.key if found and found.kind == "destination-rule" else None
    return None


def virtual_service(config: Json, service: Object, port: int) -> Key | None:
    """The VirtualService by which a proxy routes requests for a service's port."""
    for route in _routes(config, service, port):
        found = source(route)
        return found.key if found and found.kind == "virtual-service" else None
    return None


def _routes(config: Json, service: Object, port: int) -> Iterator[Json]:
    """Routes for a service's port. Real sidecars have one configuration per port, ours one for all."""
    own = {_fqdn(service), f"{_fqdn(service)}:{port}"}
    for configuration in dump.routes(config):
        name = str(configuration.get("name", ""))
        if name not in (str(port), "outbound") and not name.startswith(("http.", "https.")):
            continue
        for host in configuration.get("virtual_hosts") or ():
            named = _port(host) in (None, port) and not own.isdisjoint(host.get("domains") or ())
            for route in host.get("routes") or ():
                tunnel = "connect_matcher" in (route.get("match") or {})
                if not tunnel and (named or _leads(route, service, port)):
                    yield route


def _port(host: Json) -> int | None:
    """The port of a virtual host, by its name (``details.default.svc.cluster.local:9080``)."""
    port = str(host.get("name", "")).rpartition(":")[2]
    return int(port) if port.isdecimal() else None


def _leads(route: Json, service: Object, port: int) -> bool:
    """Whether a route of a gateway goes to the service."""
    action = route.get("route") or {}
    weighted = (action.get("weighted_clusters") or {}).get("clusters") or [{}]
    name = str(action.get("cluster") or weighted[0].get("name") or "")
    return name.startswith(f"outbound|{port}|") and name.endswith(f"|{_fqdn(service)}")


def policies(config: Json) -> list[str]:
    """The rules that authorize calls, by the names that Envoy has for them."""
    return sorted(set(_names(config)))


def _names(config: Json) -> Iterator[str]:
    for _, policy, rule in authz.policies(config):
        name, _, namespace = policy.partition(".")
        if namespace:
            yield f"ns[{namespace}]-policy[{name}]-rule[{rule}]"
