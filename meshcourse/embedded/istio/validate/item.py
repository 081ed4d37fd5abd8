"""An object under validation: identity and spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Item:
    """What validation looks at."""

    kind: str
    group: str
    namespace: str
    name: str
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]


def read(obj: Object) -> Item:
    """The item of an API object."""
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    return Item(
        kind=str(obj.get("kind") or ""),
        group=group,
        namespace=objects.namespace(obj),
        name=objects.name(obj),
        annotations=objects.annotations_of(obj),
        spec=obj.get("spec") or {},
    )
