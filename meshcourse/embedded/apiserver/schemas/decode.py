"""Strict decoding of built-in kinds: what Go's JSON decoder and Kubernetes' field validation say.

Source: encoding/json (error texts), sigs.k8s.io/json (strict errors), apimachinery (quantities, times).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.node import Node

QUANTITY: Final = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_TIME: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
_WIDTHS: Final = {"int32": 31, "int64": 63, "": 63}


class Mismatch(Exception):
    """A value that its Go type cannot hold; the text is Go's."""


class Decoder:
    """Walks an object along its node: checks types, collects unknown fields, prunes them and nulls in place."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def object(self, value: dict[str, Any], node: Node, path: str = "", go: str = "") -> None:
        """`path` is the JSON path (with indices), `go` the path of Go field names joined by dots."""
        if not node.fields:
            return
        for field in list(value):
            child = node.fields.get(field)
            here = f"{path}.{field}" if path else field
            if child is None:
                self.unknown.append(here)
                del value[field]
            elif value[field] is None:
                del value[field]
            else:
                self.value(value[field], child, here, f"{go}.{field}" if go else field, node.name)

    def value(self, value: Any, node: Node, path: str, go: str, struct: str) -> None:
        """Check one value; `struct` is the Go struct that messages name."""
        kind = node.kind
        if kind == "string":
            if not isinstance(value, str):
                raise _mismatch(value, struct, go, node.go)
        elif kind == "object":
            if not isinstance(value, dict):
                raise _mismatch(value, struct, go, node.go or "map[string]interface {}")
            self.object(value, node, path, go)
        elif kind == "array":
            self._array(value, node, path, go, struct)
        elif kind == "map":
            self._map(value, node, path, go, struct)
        elif kind != "any":
            _scalar(value, node, struct, go)

    def _array(self, value: Any, node: Node, path: str, go: str, struct: str) -> None:
        if not isinstance(value, list):
            raise _mismatch(value, struct, go, node.go)
        element = node.element
        if element is None:
            return
        for index, item in enumerate(value):
            if item is not None:
                self.value(item, element, f"{path}[{index}]", go, struct)

    def _map(self, value: Any, node: Node, path: str, go: str, struct: str) -> None:
        if not isinstance(value, dict):
            raise _mismatch(value, struct, go, node.go)
        element = node.element
        if element is None:
            return
        for key, item in value.items():
            if item is None:
                value[key] = "" if element.kind in ("string", "bytes") else {}
            else:
                self.value(item, element, f"{path}.{key}", go, struct)


def _scalar(value: Any, node: Node, struct: str, go: str) -> None:
    check = _CHECKS.get(node.kind)
    if check is not None:
        check(value, node, struct, go)


def _integer(value: Any, node: Node, struct: str, go: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, struct, go, node.go)
    if isinstance(value, float) or abs(value) >= 1 << _WIDTHS.get(node.format, 63):
        raise _mismatch(value, struct, go, node.go, literal=True)


def _number(value: Any, node: Node, struct: str, go: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, struct, go, node.go)


def _boolean(value: Any, node: Node, struct: str, go: str) -> None:
    if not isinstance(value, bool):
        raise _mismatch(value, struct, go, node.go)


def _bytes(value: Any, node: Node, struct: str, go: str) -> None:
    if not isinstance(value, str):
        raise _mismatch(value, struct, go, node.go)
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Mismatch(f"illegal base64 data at input byte {_bad_base64(value)}") from None


def _bad_base64(text: str) -> int:
    bad = re.search(r"[^A-Za-z0-9+/=\r\n]", text)
    return bad.start() if bad else len(text) - len(text) % 4


def _int_or_string(value: Any, node: Node, struct: str, go: str) -> None:
    if isinstance(value, str):
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(value, struct, go, "int32", literal=isinstance(value, float))


def _quantity(value: Any, node: Node, struct: str, go: str) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | str)
        or not QUANTITY.match(str(value).strip())
    ):
        raise Mismatch(f"quantities must match the regular expression '{QUANTITY.pattern}'")


def _time(value: Any, node: Node, struct: str, go: str) -> None:
    if not isinstance(value, str):
        raise _mismatch(value, struct, go, "string")
    layout = (
        "2006-01-02T15:04:05.000000Z07:00"
        if node.kind == "microtime"
        else "2006-01-02T15:04:05Z07:00"
    )
    if not _TIME.match(value):
        raise Mismatch(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')


_CHECKS: Final = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "bytes": _bytes,
    "int-or-string": _int_or_string,
    "quantity": _quantity,
    "time": _time,
    "microtime": _time,
}


def json_type(value: Any) -> str:
    """What encoding/json calls the type of a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def _mismatch(value: Any, struct: str, go: str, wanted: str, *, literal: bool = False) -> Mismatch:
    found = f"number {value}" if literal else json_type(value)
    where = f"Go struct field {struct}.{go}" if struct else "Go value"
    return Mismatch(f"json: cannot unmarshal {found} into {where} of type {wanted}")
