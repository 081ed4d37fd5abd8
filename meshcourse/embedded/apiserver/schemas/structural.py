"""A custom resource's structural schema: one node of ``openAPIV3Schema``, compiled.

Source: Kubernetes' "structural schema" (CRD documentation). Nodes prune, default, validate (`crd_values`) and serve
patches (they implement `kube.patches.meta.Structure`).
"""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.kube.patches import meta

#: Fields that every resource has besides those its schema names.
RESOURCE_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


class Structural:
    """One node. `raw` is the schema it was made from; `additional` the node of undeclared fields, None if there may be
    none. Read-only once built; a schema has no cycles."""

    __slots__ = (
        "additional",
        "default",
        "element",
        "embedded",
        "has_defaults",
        "has_rules",
        "int_or_string",
        "kind",
        "list_map_keys",
        "list_type",
        "map_type",
        "merge_key",
        "nullable",
        "patch_strategy",
        "preserve",
        "properties",
        "raw",
        "required",
        "rules",
    )  # fmt: skip

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.kind: str = raw.get("type", "")
        self.nullable: bool = raw.get("nullable", False)
        self.default = raw.get("default")
        self.preserve: bool = raw.get("x-kubernetes-preserve-unknown-fields", False)
        self.embedded: bool = raw.get("x-kubernetes-embedded-resource", False)
        self.int_or_string: bool = raw.get("x-kubernetes-int-or-string", False)
        self.rules: list[dict[str, Any]] = raw.get("x-kubernetes-validations") or []
        self.required: tuple[str, ...] = tuple(raw.get("required") or ())
        self.list_type: str = raw.get("x-kubernetes-list-type", "")
        self.list_map_keys = tuple(raw.get("x-kubernetes-list-map-keys") or ())
        self.map_type: str = raw.get("x-kubernetes-map-type", "")
        self.patch_strategy = ""
        self.merge_key = ""
        properties = raw.get("properties") or {}
        self.properties = {name: Structural(body) for name, body in properties.items()}
        self.additional = _additional(raw.get("additionalProperties"))
        items = raw.get("items")
        self.element = Structural(items) if isinstance(items, dict) else None
        below = self.children()
        self.has_defaults: bool = self.default is not None or any(
            each.has_defaults for each in below
        )
        self.has_rules: bool = bool(self.rules) or any(each.has_rules for each in below)

    def children(self) -> list[Structural]:
        """The nodes right below this one."""
        found = list(self.properties.values())
        found += [child for child in (self.additional, self.element) if child is not None]
        return found

    def declares(self, field: str) -> bool:
        return field in self.properties

    def child(self, field: str) -> meta.Structure:
        found = self.properties.get(field) or self.additional
        return meta.UNKNOWN if found is None else found

    def items(self) -> meta.Structure:
        return meta.UNKNOWN if self.element is None else self.element


def _additional(raw: Any) -> Structural | None:
    """``true`` and ``{}`` let every field through; ``false`` is as good as nothing said."""
    if raw is True:
        return Structural({"x-kubernetes-preserve-unknown-fields": True})
    return Structural(raw) if isinstance(raw, dict) else None


def prune(
    value: Any, node: Structural | None, path: str, unknown: list[str], *, root: bool = False
) -> None:
    """Remove what the schema does not declare, in place; the paths of what was removed go to `unknown`.

    ``apiVersion``, ``kind`` and ``metadata`` of the root and of embedded resources stay.
    """
    if isinstance(value, dict):
        _prune_object(
            value, node, path, unknown, resource=root or (node is not None and node.embedded)
        )
    elif isinstance(value, list):
        element = None if node is None else node.element
        if node is not None and node.preserve and element is None:
            return
        for index, item in enumerate(value):
            prune(item, element, f"{path}[{index}]", unknown)


def _prune_object(
    value: dict[str, Any], node: Structural | None, path: str, unknown: list[str], *, resource: bool
) -> None:
    for field in list(value):
        if resource and field in RESOURCE_FIELDS:
            continue
        here = f"{path}.{field}" if path else field
        child = None
        if node is not None:
            child = node.properties.get(field) or node.additional
        if child is not None:
            prune(value[field], child, here, unknown)
        elif node is None or not node.preserve:
            unknown.append(here)
            del value[field]


def drop_nulls(value: Any, node: Structural) -> None:
    """Remove nulls where the schema allows none and has no default to put there."""
    if isinstance(value, dict):
        for field in list(value):
            child = node.properties.get(field) or node.additional
            if child is None:
                continue
            if value[field] is None and not child.nullable and child.default is None:
                del value[field]
            else:
                drop_nulls(value[field], child)
    elif isinstance(value, list) and node.element is not None:
        for item in value:
            drop_nulls(item, node.element)


def fill_defaults(value: Any, node: Structural) -> None:
    """Put defaults where a field is absent (or null without being nullable), in place."""
    if not node.has_defaults:
        return
    if isinstance(value, dict):
        for field, child in node.properties.items():
            absent = field not in value or (value[field] is None and not child.nullable)
            if absent and child.default is not None:
                value[field] = _copy(child.default)
            if field in value:
                fill_defaults(value[field], child)
        if node.additional is not None:
            for field in value.keys() - node.properties.keys():
                fill_defaults(value[field], node.additional)
    elif isinstance(value, list) and node.element is not None:
        for item in value:
            fill_defaults(item, node.element)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
