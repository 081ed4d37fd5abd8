"""Protobuf messages out of tables, without a compiler step. No I/O.

A table maps a message's name to its fields, ``type name=number`` separated by commas; a leading ``*`` is for repeated.
Types are ``string``, ``int32``, ``int64``, ``uint32``, ``bool``, ``enum`` (a number) or another message of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FIELD.TYPE_STRING,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "bool": _FIELD.TYPE_BOOL,
    # On the wire an enumeration is an int32.
    "enum": _FIELD.TYPE_INT32,
}


def classes(package: str, table: Mapping[str, str]) -> dict[str, Any]:
    """The message classes of a table, by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    for name, fields in table.items():
        message = file.message_type.add(name=name)
        for text in filter(None, fields.split(", ")):
            _add_field(message, package, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in table
    }


def _add_field(message: descriptor_pb2.DescriptorProto, package: str, text: str) -> None:
    kind, _, rest = text.partition(" ")
    name, _, number = rest.partition("=")
    repeated = kind.startswith("*")
    kind = kind.lstrip("*")
    field = message.field.add(
        name=name,
        number=int(number),
        label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
        type=_SCALARS.get(kind, _FIELD.TYPE_MESSAGE),
    )
    if kind not in _SCALARS:
        field.type_name = f".{package}.{kind}"
