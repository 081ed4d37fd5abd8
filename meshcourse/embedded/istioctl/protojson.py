"""Messages as istioctl prints them: the fields by their JSON names (camelCase), where Envoy's admin interface has the
proto names (snake_case). Pure.

Only names of fields change; keys of maps (``filter_metadata``, ``typed_per_filter_config``), what is in a Struct and
every value stay as they are. Which is which, the protobuf descriptors say; an ``Any`` says its type itself.

Source: the JSON mapping of proto3; istioctl reads the dump into messages and writes these with their JSON names.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from meshcourse.embedded.istiod.xds import descriptors

Json = dict[str, Any]
#: Where Envoy's types are. A dump from a file may name anything, and looking a type up imports modules.
_PACKAGES = ("envoy.", "xds.", "udpa.")
_ANY = "google.protobuf.Any"


def message(full_name: str, value: Mapping[str, Any]) -> Json:
    """A message of a type (``envoy.config.cluster.v3.Cluster``), itself without ``@type``.

    What is of no known type, and fields that a type does not have, stay as they are.
    """
    bare = {name: part for name, part in value.items() if name != "@type"}
    found = _find(full_name)
    return bare if found is None else _fields(found, bare)


def messages(full_name: str, values: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Several messages of one type."""
    return [message(full_name, value) for value in values]


@functools.cache
def _find(full_name: str) -> Descriptor | None:
    if not full_name.startswith(_PACKAGES):
        return None
    try:
        return descriptors.find(full_name)
    except KeyError:
        return None


def _fields(descriptor: Descriptor, value: Mapping[str, Any]) -> Json:
    named = {}
    for name, part in value.items():
        field = descriptor.fields_by_name.get(name)
        if field is None:
            named[name] = part
        else:
            named[field.json_name] = _field(field, part)
    return named


def _field(field: FieldDescriptor, value: Any) -> Any:
    kind = field.message_type
    if kind is None:
        return value
    if kind.GetOptions().map_entry and isinstance(value, dict):
        one = kind.fields_by_name["value"]
        return {key: _field(one, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_single(kind, part) for part in value]
    return _single(kind, value)


def _single(kind: Descriptor, value: Any) -> Any:
    if not isinstance(value, dict):
        return value  # durations, wrappers and the like are no objects in JSON
    if kind.full_name == _ANY:
        return _any(value)
    if kind.file.package == "google.protobuf":
        return value  # a Struct: its names are somebody's own
    return _fields(kind, value)


def _any(value: Json) -> Json:
    kind = str(value.get("@type") or "")
    found = _find(kind.rpartition("/")[2])
    return value if found is None else _fields(found, value)
