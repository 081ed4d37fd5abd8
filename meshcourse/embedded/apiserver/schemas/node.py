"""One node of a built-in kind's schema, compiled from the definitions and shared between kinds.

Nodes serve decoding (types, Go names for messages) and patching (they implement `kube.patches.meta.Structure`).
"""

from __future__ import annotations

import functools
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas import definitions, go_types
from meshcourse.embedded.kube.patches import meta

_PKG: Final = "io.k8s.apimachinery.pkg"
#: Definitions whose JSON form is not what their schema says, by their kind of node.
_SPECIAL: Final = {
    f"{_PKG}.util.intstr.IntOrString": "int-or-string",
    f"{_PKG}.api.resource.Quantity": "quantity",
    f"{_PKG}.apis.meta.v1.Time": "time",
    f"{_PKG}.apis.meta.v1.MicroTime": "microtime",
    f"{_PKG}.apis.meta.v1.FieldsV1": "any",
    f"{_PKG}.runtime.RawExtension": "any",
}
_ANY_SUFFIXES: Final = (
    ".JSON",
    ".JSONSchemaPropsOrArray",
    ".JSONSchemaPropsOrBool",
    ".JSONSchemaPropsOrStringArray",
)
#: Where the API server knows a default that list-map keys rely on, but OpenAPI does not carry it through.
_PORT_PROTOCOL: Final = frozenset(
    {"ContainerPort.protocol", "ServicePort.protocol", "EndpointPort.protocol"}
)


class Node:
    """One node. `kind` is object, map, array, string, bytes, integer, number, boolean, any or a special.

    `definition` is the definition's full name ("" for anonymous nodes) and `name` its last part (``PodSpec``); `go` the
    Go type for messages; `format` the integer's width. Navigation (`child`, `items`) never fails. Read-only once built.
    """

    __slots__ = (
        "default",
        "definition",
        "element",
        "fields",
        "format",
        "go",
        "kind",
        "list_map_keys",
        "list_type",
        "map_type",
        "merge_key",
        "name",
        "patch_strategy",
    )

    def __init__(self, kind: str, definition: str = "", go: str = "") -> None:
        self.kind = kind
        self.definition = definition
        self.name = definition.rsplit(".", 1)[-1]
        self.go = go
        self.format = ""
        self.fields: dict[str, Node] = {}
        self.element: Node | None = None
        self.patch_strategy = ""
        self.merge_key = ""
        self.list_type = ""
        self.list_map_keys: tuple[str, ...] = ()
        self.map_type = ""
        self.default: Any = None

    def declares(self, field: str) -> bool:
        return field in self.fields

    def child(self, field: str) -> meta.Structure:
        found = self.element if self.kind == "map" else self.fields.get(field)
        return meta.UNKNOWN if found is None else found

    def items(self) -> meta.Structure:
        if self.kind != "array" or self.element is None:
            return meta.UNKNOWN
        return self.element


@functools.cache
def of_definition(name: str) -> Node:
    """The node of a definition; recursive definitions share themselves.

    :raises KeyError: if there is no such definition.
    """
    return _Builder.shared().definition(name)


class _Builder:
    """Builds nodes on demand. Definitions are cyclic, so a node is registered before it is filled."""

    def __init__(self, source: definitions.Definitions) -> None:
        self._source = source
        self._made: dict[str, Node] = {}

    @staticmethod
    @functools.cache
    def shared() -> _Builder:
        return _Builder(definitions.compact())

    def definition(self, name: str) -> Node:
        if name in self._made:
            return self._made[name]
        schema = self._source[name]
        kind = _SPECIAL.get(name) or ("any" if name.endswith(_ANY_SUFFIXES) else _kind(schema))
        node = Node(kind, name, go_types.of_definition(name))
        self._made[name] = node
        self._fill(node, schema)
        return node

    def _fill(self, node: Node, schema: dict[str, Any]) -> None:
        _annotate(node, schema)
        node.format = schema.get("format", "")
        if node.kind == "object":
            for field, body in schema.get("properties", {}).items():
                node.fields[field] = self._property(body, node.name, field)
        elif node.kind == "map":
            node.element = self._property(schema["additionalProperties"], "", "")
        elif node.kind == "array":
            node.element = self._property(schema.get("items", {}), "", "")

    def _property(self, schema: dict[str, Any], owner: str, field: str) -> Node:
        reference = schema.get("$ref")
        if reference is not None:
            return _overridden(self.definition(reference), schema)
        node = Node(_kind(schema))
        self._fill(node, schema)
        node.go = go_types.of_field(owner, field, _go_name(node))
        if f"{owner}.{field}" in _PORT_PROTOCOL:
            node.default = "TCP"
        return node


def _kind(schema: dict[str, Any]) -> str:
    kind: str = schema.get("type", "any")
    if kind == "string" and schema.get("format") == "byte":
        return "bytes"
    if kind == "object" and "properties" not in schema:
        return "map" if isinstance(schema.get("additionalProperties"), dict) else "object"
    return kind


def _go_name(node: Node) -> str:
    if node.kind == "integer":
        return node.format or "int64"
    if node.kind == "array":
        return f"[]{node.element.go if node.element else 'interface {}'}"
    if node.kind == "map":
        return f"map[string]{node.element.go if node.element else 'interface {}'}"
    return {"boolean": "bool", "number": "float64", "bytes": "[]uint8"}.get(node.kind, node.kind)


def _annotate(node: Node, schema: dict[str, Any]) -> None:
    node.patch_strategy = schema.get("x-kubernetes-patch-strategy", node.patch_strategy)
    node.merge_key = schema.get("x-kubernetes-patch-merge-key", node.merge_key)
    node.list_type = schema.get("x-kubernetes-list-type", node.list_type)
    node.list_map_keys = tuple(schema.get("x-kubernetes-list-map-keys", node.list_map_keys))
    node.map_type = schema.get("x-kubernetes-map-type", node.map_type)
    node.default = schema.get("default", node.default)


def _overridden(shared: Node, schema: dict[str, Any]) -> Node:
    """`shared`, or a copy when the property says more than its definition does."""
    if not any(key.startswith("x-kubernetes-") or key == "default" for key in schema):
        return shared
    copy = Node(shared.kind, shared.definition, shared.go)
    # The dictionary itself is shared: a recursive definition may still be filling it.
    copy.fields, copy.element, copy.format = shared.fields, shared.element, shared.format
    copy.map_type, copy.list_type = shared.map_type, shared.list_type
    _annotate(copy, schema)
    return copy
