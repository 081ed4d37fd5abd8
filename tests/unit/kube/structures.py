"""A schema written down by hand, for tests of patches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from meshcourse.embedded.kube.patches.meta import UNKNOWN, Structure


@dataclass(frozen=True)
class Node:
    fields: dict[str, Structure] = field(default_factory=dict)
    others: Structure = UNKNOWN
    element: Structure = UNKNOWN
    patch_strategy: str = ""
    merge_key: str = ""
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    default: Any = None

    def declares(self, name: str) -> bool:
        return name in self.fields

    def child(self, name: str) -> Structure:
        return self.fields.get(name, self.others)

    def items(self) -> Structure:
        return self.element


LEAF = Node()


def keyed(element: Node, *keys: str) -> Node:
    """A list keyed for strategic merge patch (by the first key) and for server-side apply."""
    return Node(
        element=element,
        patch_strategy="merge",
        merge_key=keys[0],
        list_type="map",
        list_map_keys=keys,
    )


PORT = Node({"containerPort": LEAF, "name": LEAF, "protocol": Node(default="TCP")})
ENV = Node({"name": LEAF, "value": LEAF, "valueFrom": Node({"fieldRef": LEAF})})
CONTAINER = Node(
    {
        "name": LEAF,
        "image": LEAF,
        "args": Node(),
        "env": keyed(ENV, "name"),
        "ports": keyed(PORT, "containerPort", "protocol"),
    }
)
SELECTOR = Node(map_type="atomic")
METADATA = Node(
    {
        "name": LEAF,
        "labels": Node(),
        "annotations": Node(),
        "finalizers": Node(patch_strategy="merge", list_type="set"),
    }
)
STRATEGY = Node(
    {"type": LEAF, "rollingUpdate": Node({"maxSurge": LEAF})}, patch_strategy="retainKeys"
)
SPEC = Node(
    {
        "replicas": LEAF,
        "paused": LEAF,
        "selector": SELECTOR,
        "strategy": STRATEGY,
        "containers": keyed(CONTAINER, "name"),
        "hosts": Node(),
        "template": Node({"spec": Node({"volumes": LEAF})}, patch_strategy="replace"),
    }
)
OBJECT = Node(
    {
        "apiVersion": LEAF,
        "kind": LEAF,
        "metadata": METADATA,
        "spec": SPEC,
        "data": Node(),
        "status": Node({"phase": LEAF}),
    }
)
