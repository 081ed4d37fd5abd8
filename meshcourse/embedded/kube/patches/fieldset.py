"""Sets of fields, as ``metadata.managedFields`` records who owns what.

A field is a path: a tuple of elements in the notation of ``FieldsV1``: ``f:<name>`` (a field), ``k:<json>`` (an element
of a keyed list), ``v:<json>`` (an element of a set). A set of fields is a frozenset of paths, so that union,
difference and intersection are Python's own. Source: structured-merge-diff (``fieldpath``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from meshcourse.embedded.kube.objects import Object

Path = tuple[str, ...]
FieldSet = frozenset[Path]

EMPTY: FieldSet = frozenset()
_ITSELF = "."


def compact(value: Any) -> str:
    """JSON without spaces."""
    return orjson.dumps(value).decode()


def from_v1(fields: Object) -> FieldSet:
    """A ``fieldsV1`` tree as a set."""
    return frozenset(_paths(fields, ()))


def _paths(node: Object, path: Path) -> Iterator[Path]:
    if not node and path:
        yield path
    for element, below in node.items():
        if element == _ITSELF:
            yield path
        else:
            yield from _paths(below if isinstance(below, dict) else {}, (*path, element))


def to_v1(fields: Iterable[Path]) -> Object:
    """A set as a ``fieldsV1`` tree, elements in order."""
    root: Object = {}
    chosen = sorted(fields)
    for path in chosen:
        node = root
        for element in path:
            node = node.setdefault(element, {})
    for path in chosen:
        node = root
        for element in path:
            node = node[element]
        if node:
            node[_ITSELF] = {}
    return _sorted(root)


def _sorted(node: Object) -> Object:
    return {element: _sorted(node[element]) for element in sorted(node)}


def text(path: Path) -> str:
    """A path as messages show it: ``.spec.containers[name="web"].image``."""
    return "".join(_element(element) for element in path)


def _element(element: str) -> str:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "v:":
        return f"[={rest}]"
    try:
        keys = orjson.loads(rest).items()
    except (orjson.JSONDecodeError, AttributeError):
        return f"[{rest}]"  # clients may write anything into this record
    return "[" + ",".join(f"{key}={compact(value)}" for key, value in keys) + "]"
