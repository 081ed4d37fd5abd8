"""Printers of custom resources from ``additionalPrinterColumns``. Source: the CRD reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from meshcourse.embedded.apiserver.tables import columns, durations, jsonpath
from meshcourse.embedded.apiserver.tables.columns import Printer, Row
from meshcourse.embedded.kube.objects import Object

#: What a CRD without printer columns shows.
DEFAULT_COLUMNS = [
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def printer(definitions: Sequence[Object]) -> Printer:
    """Name first, then the CRD's columns (`Age` if it has none)."""
    chosen = list(definitions) or DEFAULT_COLUMNS
    described = columns.define("Name") + [_definition(each) for each in chosen]

    def row(obj: Object) -> Row:
        return [columns.name(obj), *(cell(obj, each) for each in chosen)]

    return Printer(described, row)


def _definition(each: Object) -> Object:
    return {
        "name": each.get("name", ""),
        "type": each.get("type", "string"),
        "format": each.get("format", ""),
        "description": each.get("description", ""),
        "priority": each.get("priority", 0),
    }


def cell(obj: Object, definition: Object) -> Any:
    """The value of one column, None if absent or not of the column's type."""
    try:
        found = jsonpath.find(obj, definition.get("jsonPath", ""))
    except ValueError:
        return None  # a path of a kind we cannot follow leaves its column empty
    value = found[0] if found else None
    if value is None:
        return None
    convert: Callable[[Any], Any] = _CELLS.get(definition.get("type", "string"), _string)
    return convert(value)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _integer(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _date(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return durations.since(value) if durations.parse(value) else "<invalid>"


_CELLS: Final[dict[str, Callable[[Any], Any]]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
