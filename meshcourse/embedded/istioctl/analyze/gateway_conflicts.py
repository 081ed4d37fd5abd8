"""Gateways that claim the same hosts on the same port of the same pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze import gateways, mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages

_Server = Mapping[str, Any]


def conflicts(objects: Collection) -> Messages:
    """Each side of a conflict is told about the other."""
    found = objects.all("Gateway")
    for gateway in found:
        near = [other for other in found if other is not gateway and _meet(gateway, other, objects)]
        for server in lists(gateway.spec.get("servers")):
            rivals = sorted(other.full for other in near if _clash(server, other))
            if rivals:
                selector = mesh.render(gateways.selector(gateway))
                hosts = ",".join(map(str, lists(server.get("hosts"))))
                names = ",".join(rivals)
                yield report(
                    "ConflictingGateways", gateway, names, selector, str(_port(server)), hosts
                )


def _meet(one: Item, other: Item, objects: Collection) -> bool:
    """Whether two gateways have a pod in common, or the same selector."""
    left, right = gateways.selector(one), gateways.selector(other)
    if left == right:
        return True
    if not (mesh.selects(left, right) or mesh.selects(right, left)):
        return False
    return any(
        mesh.selects(left, pod.labels) and mesh.selects(right, pod.labels)
        for pod in objects.all("Pod")
    )


def _clash(server: _Server, other: Item) -> bool:
    return any(_same_place(server, one) for one in lists(other.spec.get("servers")))


def _same_place(one: _Server, other: _Server) -> bool:
    same = _port(one) == _port(other) and one.get("bind", "") == other.get("bind", "")
    return same and bool(set(lists(one.get("hosts"))) & set(lists(other.get("hosts"))))


def _port(server: _Server) -> int:
    return int(maps(server.get("port")).get("number") or 0)


ANALYZERS: Final = (
    Analyzer(
        "gateway.ConflictingGatewayAnalyzer",
        "Checks a gateway's selector, port number and hosts",
        ("Gateway", "Pod"),
        conflicts,
    ),
)
