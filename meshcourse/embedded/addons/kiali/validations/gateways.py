"""KIA0301, 0302 and 0601: Gateways. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.validations import codes, hosts, services
from meshcourse.embedded.addons.kiali.validations.codes import Finding, Key
from meshcourse.embedded.kube import objects, refs


class _Host(NamedTuple):
    key: Key
    path: str
    #: Only hosts of one port and one set of gateway pods can be in each other's way.
    group: tuple[int, frozenset[tuple[str, str]]]
    scope: str
    name: str


def check(mesh: Mesh) -> Iterator[Finding]:
    for obj in mesh.all(refs.GATEWAYS):
        key = codes.key_of(refs.GATEWAYS, obj)
        if not mesh.selected("", objects.dig(obj, "spec.selector", {})):
            yield codes.found(key, "KIA0302", "spec/selector")
        for index, server in enumerate(objects.dig(obj, "spec.servers", [])):
            port = server.get("port") or {}
            if not services.names_protocol(port.get("protocol", ""), port.get("name", "")):
                yield codes.found(key, "KIA0601", f"spec/servers[{index}]/port/name")
    yield from _conflicts(list(_hosts(mesh)))


def _hosts(mesh: Mesh) -> Iterator[_Host]:
    for obj in mesh.all(refs.GATEWAYS):
        key = codes.key_of(refs.GATEWAYS, obj)
        chosen = frozenset(objects.dig(obj, "spec.selector", {}).items())
        for number, server in enumerate(objects.dig(obj, "spec.servers", [])):
            port = int(objects.dig(server, "port.number", 0))
            for index, text in enumerate(server.get("hosts") or ()):
                scope, slash, name = text.rpartition("/")
                scope = {".": key.namespace}.get(scope, scope) if slash else "*"
                path = f"spec/servers[{number}]/hosts[{index}]"
                yield _Host(key, path, (port, chosen), scope, name.lower())


def _conflicts(all_hosts: list[_Host]) -> Iterator[Finding]:
    for one in all_hosts:
        others = [other.key for other in all_hosts if other is not one and _conflict(one, other)]
        if others:
            yield codes.found(
                one.key,
                "KIA0301",
                one.path,
                *dict.fromkeys(key for key in others if key != one.key),
            )


def _conflict(one: _Host, other: _Host) -> bool:
    if one.group != other.group:
        return False
    if one.scope != other.scope and "*" not in (one.scope, other.scope):
        return False
    if one.name.startswith("*.") and other.name.startswith("*."):
        return one.name == other.name
    return hosts.within(one.name, other.name) or hosts.within(other.name, one.name)
