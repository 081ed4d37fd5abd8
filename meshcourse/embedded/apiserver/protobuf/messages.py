"""From protobuf messages of built-in kinds to JSON, guided by field numbers and schemas."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from typing import Any

import orjson

from meshcourse.embedded.apiserver.protobuf import fields, wire
from meshcourse.embedded.apiserver.schemas import node
from meshcourse.embedded.apiserver.schemas.node import Node
from meshcourse.embedded.kube.objects import Object


def message(name: str, data: bytes) -> Object:
    """A message of the definition `name` (``io.k8s.api.core.v1.Pod``).

    :raises LookupError: if its field numbers are not known.
    :raises wire.Malformed: if `data` is no such message.
    """
    return _message(name, node.of_definition(name), data)


def _message(name: str, shape: Node, data: bytes) -> Object:
    numbers = fields.messages().get(name)
    if numbers is None:
        raise LookupError(f"no field numbers for {name}")
    found: Object = {}
    for number, value in wire.fields(data):
        field = numbers.get(number)
        if field is None:
            continue
        if field.inline:
            package = name.rpartition(".")[0]
            found.update(_message(f"{package}.{field.name}", shape, wire.raw(value)))
        elif field.name in shape.fields:
            _put(found, field, shape.fields[field.name], value)
    return found


def _put(found: Object, field: fields.Field, shape: Node, value: wire.Value) -> None:
    if shape.kind == "array":
        assert shape.element is not None
        found.setdefault(field.name, []).append(_value(shape.element, value))
    elif shape.kind == "map":
        assert shape.element is not None
        key, item = _entry(shape.element, wire.raw(value))
        found.setdefault(field.name, {})[key] = item
    else:
        decoded = _value(shape, value)
        # Go writes zero values of everything that is not a pointer; JSON leaves them out.
        if field.pointer or decoded not in (None, "", 0, False, {}):
            found[field.name] = decoded


def _entry(shape: Node, data: bytes) -> tuple[str, Any]:
    key: str = ""
    item: Any = "" if shape.kind in ("string", "bytes") else {}
    for number, value in wire.fields(data):
        if number == 1:
            key = wire.text(value)
        elif number == 2:
            item = _value(shape, value)
    return key, item


def _value(shape: Node, value: wire.Value) -> Any:
    kind = shape.kind
    if kind == "string":
        return wire.text(value)
    if kind == "integer":
        return wire.signed(value)
    if kind == "boolean":
        return bool(value)
    if kind == "bytes":
        return base64.b64encode(wire.raw(value)).decode()
    if kind == "number":
        return struct.unpack("<d", wire.signed(value).to_bytes(8, "little", signed=True))[0]
    if kind == "object" and shape.definition:
        return _message(shape.definition, shape, wire.raw(value))
    if kind == "array":
        assert shape.element is not None
        return [_value(shape.element, item) for _, item in wire.fields(wire.raw(value))]
    return _special(shape, dict(wire.fields(wire.raw(value))))


def _special(shape: Node, parts: dict[int, wire.Value]) -> Any:
    """Messages whose JSON form is not an object."""
    if shape.kind == "quantity":
        return wire.text(parts.get(1, b"0")) or "0"
    if shape.kind == "int-or-string":
        return wire.text(parts.get(3, b"")) if parts.get(1) else wire.signed(parts.get(2, 0))
    if shape.kind in ("time", "microtime"):
        return _time(parts, micro=shape.kind == "microtime")
    return _raw_json(wire.raw(parts.get(1, b"")))


def _time(parts: dict[int, wire.Value], *, micro: bool) -> str | None:
    seconds = wire.signed(parts.get(1, 0))
    if not parts or seconds < -62135596800 + 1:
        return None
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    if not micro:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    moment = moment.replace(microsecond=wire.signed(parts.get(2, 0)) // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _raw_json(data: bytes) -> Any:
    try:
        return orjson.loads(data) if data else {}
    except orjson.JSONDecodeError as error:
        raise wire.Malformed(str(error)) from None
