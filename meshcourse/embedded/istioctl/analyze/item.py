"""An object under analysis, with the place that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_GATEWAY_API: Final = "gateway.networking.k8s.io"
#: The kind by which Gateways of the Gateway API are collected (Istio has one of that name, too).
KUBERNETES_GATEWAY: Final = "KubernetesGateway"


def kind_of(obj: Object) -> str:
    """The kind under which an object is collected."""
    kind = str(obj.get("kind") or "")
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    return KUBERNETES_GATEWAY if kind == "Gateway" and group == _GATEWAY_API else kind


@dataclass(frozen=True, eq=False, slots=True)
class Item:
    """Two items are equal if they are the same one.

    :param file: "" for an object of the cluster.
    :param start: line where its document begins.
    :param lines: line of each field, by path (``spec.http[0].route[0].destination.host``).
    """

    obj: Object
    file: str = ""
    start: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return kind_of(self.obj)

    @property
    def name(self) -> str:
        return objects.name(self.obj)

    @property
    def namespace(self) -> str:
        return objects.namespace(self.obj)

    @property
    def home(self) -> str:
        """The namespace to which messages count; that of a Namespace is its own name."""
        return self.name if self.kind == "Namespace" else self.namespace

    @property
    def full(self) -> str:
        """``default/reviews``; only the name of a cluster-scoped object."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def title(self) -> str:
        """``VirtualService default/reviews``."""
        return f"{self.obj.get('kind')} {self.full}"

    @property
    def comparator(self) -> str:
        """Sort key of messages."""
        return f"{self.obj.get('kind')}/{self.name}/{self.namespace}"

    @property
    def labels(self) -> Mapping[str, str]:
        return objects.labels(self.obj)

    @property
    def annotations(self) -> Mapping[str, str]:
        return objects.annotations_of(self.obj)

    @property
    def spec(self) -> Object:
        return self.obj.get("spec") or {}

    def line(self, path: str) -> int:
        """Where the field is written; 0 if it is not in a file."""
        return self.lines.get(path, 0)

    def place(self, line: int) -> str:
        """``file.yaml:7``; the document's first line if `line` is 0."""
        if not self.file:
            return ""
        if self.file.endswith(".json"):
            return self.file
        return f"{self.file}:{line or self.start}"


def lists(value: Any) -> list[Any]:
    """A list field; [] if absent."""
    return value if isinstance(value, list) else []


def maps(value: Any) -> dict[str, Any]:
    """A map field; {} if absent."""
    return value if isinstance(value, dict) else {}
