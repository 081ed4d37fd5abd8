"""The schema of a built-in kind: decoding, defaults, structure for patches."""

from __future__ import annotations

import functools
from typing import Any

from meshcourse.embedded.apiserver.contracts import FieldValidation
from meshcourse.embedded.apiserver.schemas import decode, definitions, node
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import meta
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError, Cause

_GVK = "x-kubernetes-group-version-kind"


class DecodeError(ApiError):
    """400: the body is not what its kind says. `detail` is the message without the leading sentence."""

    def __init__(self, kind: str, version: str, detail: str) -> None:
        text = f'{kind} in version "{version}" cannot be handled as a {kind}: {detail}'
        super().__init__(400, "BadRequest", text)
        self.detail = detail


def strict_error(unknown: list[str]) -> str:
    """The words for unknown fields in strict mode."""
    fields = ", ".join(f'unknown field "{path}"' for path in unknown)
    return f"strict decoding error: {fields}"


def warnings(unknown: list[str]) -> list[str]:
    """The warnings for unknown fields in mode Warn."""
    return [f'unknown field "{path}"' for path in unknown]


class BuiltinSchema:
    """See `contracts.Schema`. Field rules of built-in kinds are in `validation`, so `validate` finds nothing."""

    def __init__(self, resource: Resource, root: node.Node) -> None:
        self._resource = resource
        self._root = root

    @property
    def structure(self) -> meta.Structure:
        return self._root

    def decode(self, obj: Object, *, mode: FieldValidation) -> list[str]:
        decoder = decode.Decoder()
        try:
            decoder.object(obj, self._root)
        except decode.Mismatch as mismatch:
            raise self._error(str(mismatch)) from None
        if decoder.unknown and mode == "Strict":
            raise self._error(strict_error(decoder.unknown))
        return warnings(decoder.unknown) if mode == "Warn" else []

    def _error(self, detail: str) -> DecodeError:
        return DecodeError(self._resource.kind, self._resource.version, detail)

    def default(self, obj: Object) -> None:
        from meshcourse.embedded.apiserver.schemas import defaults

        defaults.apply(self._resource, obj)

    def validate(self, obj: Object, old: Object | None = None) -> list[Cause]:
        return []


@functools.cache
def for_builtin(resource: Resource) -> BuiltinSchema:
    """The schema of a built-in kind.

    :raises LookupError: if `resource` is not built in.
    """
    name = definition_names().get((resource.group, resource.version, resource.kind))
    if name is None:
        raise LookupError(f"{resource.kind} in {resource.api_version} is not a built-in kind")
    return BuiltinSchema(resource, node.of_definition(name))


@functools.cache
def definition_names() -> dict[tuple[str, str, str], str]:
    """Definition by group, version and kind (kinds that many groups share, like DeleteOptions, included)."""
    return {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, schema in definitions.compact().items()
        for gvk in _gvks(schema)
    }


def _gvks(schema: dict[str, Any]) -> list[dict[str, str]]:
    return list(schema.get(_GVK, ()))
