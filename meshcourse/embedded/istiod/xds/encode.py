"""Resources in wire form, cached by identity: translation hands out the same object for what did not change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from meshcourse.embedded.istio import model
from meshcourse.embedded.istiod.xds import references, types, wire

T = TypeVar("T")
_RESOURCES_FIELD = wire.tag(2, 2)  # DiscoveryResponse.resources


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One resource, ready to be put into a response.

    :param chunk: the ``resources`` field of a DiscoveryResponse (tag, length, Any).
    :param digest: content hash; equal digests need no push.
    :param clusters: names of clusters it refers to.
    :param endpoints: for a cluster, the EDS resource that it waits for ("" if none).
    """

    name: str
    chunk: bytes
    digest: bytes
    clusters: frozenset[str] = frozenset()
    endpoints: str = ""


class ResourceError(wire.EncodeError):
    """A resource that cannot even be sent; the message names it."""

    def __init__(self, type_url: str, message: str) -> None:
        super().__init__(message)
        self.type_url = type_url


@dataclass(frozen=True, slots=True)
class Target:
    """What one proxy is meant to have, by type URL and name.

    :param version: of the snapshot it was made from; goes into ``version_info``.
    :param born: monotonic seconds at which the change arrived that led to it.
    :param stand_in: a cluster of that name for requests that are still routed to it although nothing
        should any more; None if there is none.
    """

    resources: Mapping[str, Mapping[str, Encoded]] = field(default_factory=dict)
    version: str = ""
    born: float = 0.0
    stand_in: Callable[[str], Encoded | None] = field(default=lambda _: None, compare=False)

    def of(self, type_url: str) -> Mapping[str, Encoded]:
        return self.resources.get(type_url, {})


class _ByIdentity(Generic[T]):
    """A cache keyed by object identity which keeps what the last two generations used."""

    def __init__(self) -> None:
        self._young: dict[int, tuple[object, T]] = {}
        self._old: dict[int, tuple[object, T]] = {}

    def get(self, obj: object, make: Callable[[Any], T]) -> T:
        key = id(obj)
        found = self._young.get(key)
        if found is None:
            # The cache holds the object, so its id cannot have been given to another.
            found = self._old.get(key) or (obj, make(obj))
            self._young[key] = found
        return found[1]

    def age(self) -> None:
        """Begin a new generation; what was not used in the last one is forgotten."""
        self._young, self._old = {}, self._young


class ResourceCache:
    """Encodes `model.Resources`; call `age` once per snapshot."""

    def __init__(self) -> None:
        self._resources: dict[str, _ByIdentity[Encoded]] = {
            type_url: _ByIdentity() for type_url in types.ORDER
        }
        self._hosts: _ByIdentity[bytes] = _ByIdentity()
        encode = wire.encoder("envoy.config.route.v3.VirtualHost")
        self._virtual_host = encode
        self._route_configuration = _with_hosts(self)

    def target(self, resources: model.Resources, version: str, born: float) -> Target:
        """Everything in `resources`, encoded.

        :raises ResourceError: for a resource that is no valid message (names it).
        """
        found = {
            types.CDS: resources.clusters,
            types.EDS: resources.endpoints,
            types.LDS: resources.listeners,
            types.RDS: resources.routes,
            types.SDS: resources.secrets,
            types.ECDS: resources.extensions,
        }
        encoded = {type_url: self._all(type_url, group) for type_url, group in found.items()}
        return Target(encoded, version, born, lambda name: self._stand_in(resources, name))

    def _stand_in(self, resources: model.Resources, name: str) -> Encoded | None:
        """In place of a subset that is gone, its whole service: better any version than an error."""
        parts = name.split("|")
        whole = resources.clusters.get("|".join((*parts[:2], "", *parts[3:])))
        if whole is None or whole["name"] == name or whole.get("type") != "EDS":
            return None
        config = {**whole["eds_cluster_config"], "service_name": whole["name"]}
        return self._encode(types.CDS, name, {**whole, "name": name, "eds_cluster_config": config})

    def age(self) -> None:
        for cache in self._resources.values():
            cache.age()
        self._hosts.age()

    def virtual_host(self, host: Mapping[str, Any]) -> bytes:
        """The bytes of one virtual host; most survive a change of their neighbours."""
        return self._hosts.get(host, self._virtual_host)

    def _all(self, type_url: str, group: Mapping[str, model.Json]) -> dict[str, Encoded]:
        cache = self._resources[type_url]
        found = {}
        for name, resource in group.items():
            found[name] = cache.get(resource, lambda obj: self._encode(type_url, name, obj))  # noqa: B023
        return found

    def _encode(self, type_url: str, name: str, resource: model.Json) -> Encoded:
        try:
            if type_url == types.RDS:
                body = self._route_configuration(resource)
            else:
                body = wire.encode(type_url.removeprefix(types.PREFIX), resource)
        except wire.EncodeError as error:
            raise ResourceError(type_url, f"{name}: {error.message}") from error
        return encoded(type_url, name, resource, body)


def _with_hosts(cache: ResourceCache) -> Callable[[Mapping[str, Any]], bytes]:
    plain = wire.encoder(types.RDS.removeprefix(types.PREFIX))

    def encode(route: Mapping[str, Any]) -> bytes:
        rest = {key: value for key, value in route.items() if key != "virtual_hosts"}
        prefix = wire.tag(2, 2)  # RouteConfiguration.virtual_hosts
        hosts = [cache.virtual_host(host) for host in route.get("virtual_hosts") or ()]
        return plain(rest) + b"".join([wire.delimited(prefix, host) for host in hosts])

    return encode


def encoded(type_url: str, name: str, resource: Mapping[str, Any], body: bytes) -> Encoded:
    """A resource of which the message's bytes are known."""
    any_ = wire.delimited(b"\x0a", type_url.encode()) + wire.delimited(b"\x12", body)
    return Encoded(
        name=name,
        chunk=wire.delimited(_RESOURCES_FIELD, any_),
        digest=hashlib.blake2b(body, digest_size=12).digest(),
        clusters=references.clusters(resource) if type_url in _REFERRING else frozenset(),
        endpoints=references.endpoints_of(resource) if type_url == types.CDS else "",
    )


_REFERRING = frozenset({types.LDS, types.RDS, types.ECDS})


def no_endpoints(name: str) -> Encoded:
    """An empty assignment: what a proxy gets that asks for the endpoints of a cluster without any."""
    resource = {"cluster_name": name}
    body = wire.encode(types.EDS.removeprefix(types.PREFIX), resource)
    return encoded(types.EDS, name, resource, body)
