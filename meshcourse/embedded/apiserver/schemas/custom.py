"""The schema of one version of a custom kind."""

from __future__ import annotations

import functools
from typing import Any

from meshcourse.embedded.apiserver.contracts import FieldValidation
from meshcourse.embedded.apiserver.schemas import (
    builtin,
    crd_rules,
    crd_values,
    decode,
    node,
    structural,
)
from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.schemas.structural import Structural
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import meta
from meshcourse.embedded.kube.status import Cause

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_CACHED = 256


class CustomSchema:
    """See `contracts.Schema`. Wrong types are found by `validate`, as in the API server, not by `decode`."""

    def __init__(self, kind: str, version: str, raw: dict[str, Any]) -> None:
        self._kind = kind
        self._version = version
        self._node = Structural(raw)
        self._root = _Root(self._node)

    @property
    def structure(self) -> meta.Structure:
        return self._root

    def decode(self, obj: Object, *, mode: FieldValidation) -> list[str]:
        unknown: list[str] = []
        structural.prune(obj, self._node, "", unknown, root=True)
        unknown.sort()
        unknown = self._metadata(obj) + unknown
        structural.drop_nulls(obj, self._node)
        if unknown and mode == "Strict":
            raise builtin.DecodeError(self._kind, self._version, builtin.strict_error(unknown))
        return builtin.warnings(unknown) if mode == "Warn" else []

    def _metadata(self, obj: Object) -> list[str]:
        """Metadata is decoded like that of built-in kinds, types included."""
        decoder = decode.Decoder()
        try:
            if "metadata" in obj:
                found = node.of_definition(_OBJECT_META)
                decoder.value(obj["metadata"], found, "metadata", "metadata", self._kind)
        except decode.Mismatch as mismatch:
            raise builtin.DecodeError(self._kind, self._version, str(mismatch)) from None
        return decoder.unknown

    def default(self, obj: Object) -> None:
        structural.fill_defaults(obj, self._node)

    def validate(self, obj: Object, old: Object | None = None) -> list[Cause]:
        """Types and the like first, then rules in CEL (those about ``oldSelf`` only with `old`)."""
        report = Report()
        crd_values.check(report, obj, self._node.raw)
        crd_rules.check(report, obj, old, self._node)
        return report.causes


class _Root:
    """The root of a custom resource for patches: its schema, with metadata as every object has it."""

    patch_strategy = merge_key = list_type = map_type = ""
    list_map_keys: tuple[str, ...] = ()
    default: Any = None

    def __init__(self, schema: Structural) -> None:
        self._schema = schema

    def declares(self, field: str) -> bool:
        return field in structural.RESOURCE_FIELDS or self._schema.declares(field)

    def child(self, field: str) -> meta.Structure:
        if field == "metadata":
            return node.of_definition(_OBJECT_META)
        return self._schema.child(field)

    def items(self) -> meta.Structure:
        return meta.UNKNOWN


def version_of(crd: Object, version: str) -> Object:
    """The entry of ``spec.versions``.

    :raises LookupError: if the definition has no such version.
    """
    for found in objects.dig(crd, "spec.versions", ()):
        if found.get("name") == version:
            return dict(found)
    raise LookupError(f"{objects.name(crd)} has no version {version}")


def schema_of(crd: Object, version: str) -> dict[str, Any]:
    """The raw ``openAPIV3Schema`` of a version; one that preserves everything if it has none."""
    found = objects.dig(version_of(crd, version), "schema.openAPIV3Schema")
    return found or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def for_crd(crd: Object, version: str) -> CustomSchema:
    """The schema of a version of a custom kind; the same object as long as the definition does not change.

    :raises LookupError: if the definition has no such version.
    """
    identity = objects.uid(crd), objects.dig(crd, "metadata.generation", 0), version
    if not identity[0] or not identity[1]:
        return _build(crd, version)
    found = _cache().get(identity)
    if found is None:
        if len(_cache()) >= _CACHED:
            _cache().clear()
        found = _cache()[identity] = _build(crd, version)
    return found


@functools.cache
def _cache() -> dict[tuple[str, int, str], CustomSchema]:
    return {}


def _build(crd: Object, version: str) -> CustomSchema:
    return CustomSchema(crd["spec"]["names"]["kind"], version, schema_of(crd, version))
