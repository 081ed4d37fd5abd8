"""The notation in which schemas are written, compiled to OpenAPI v3.

A line is a field: ``name type constraints -- explanation``; indentation nests. ``name!`` is required.
Types: ``string``, ``int32``, ``int64``, ``uint32``, ``number``, ``bool``, ``duration``, ``any``,
``intstr``, ``object``, ``[T]`` (list), ``{T}`` (map of strings to T), ``A|B|C`` (one of these words), or the
name of a ``type`` defined in the same file. Constraints: ``min= max= minItems= maxItems= minLength=
maxLength= minProperties= pattern= default= format= enum=``, without spaces. ``one-of a b`` inside an object: at
most one of these fields; ``exactly-one-of a b``: one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshcourse.errors import MeshcourseError

Schema = dict[str, Any]

_INDENT = 2
_UINT32 = 4294967295

_SCALARS: Mapping[str, Schema] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "uint32": {"type": "integer", "minimum": 0, "maximum": _UINT32},
    "number": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "duration": {"type": "string"},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "intstr": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    },
    "object": {"type": "object"},
}
_CONSTRAINTS = {
    "min": "minimum",
    "max": "maximum",
    "minItems": "minItems",
    "maxItems": "maxItems",
    "minLength": "minLength",
    "maxLength": "maxLength",
    "minProperties": "minProperties",
    "pattern": "pattern",
    "default": "default",
    "format": "format",
    "enum": "enum",
}


class LanguageError(MeshcourseError):
    """A line that cannot be read; a mistake in our own files."""


@dataclass(slots=True)
class Node:
    """A line and what is indented below it."""

    words: list[str]
    text: str
    number: int
    children: list[Node] = field(default_factory=list)

    @property
    def head(self) -> str:
        return self.words[0]


def parse(source: str) -> list[Node]:
    """The lines of a file as a forest; ``#`` begins a comment line."""
    root = Node([""], "", 0)
    stack = [(-1, root)]
    for number, line in enumerate(source.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        depth = (len(line) - len(line.lstrip())) // _INDENT
        code, _, text = line.strip().partition(" -- ")
        node = Node(code.split(), text.strip(), number)
        while stack[-1][0] >= depth:
            stack.pop()
        stack[-1][1].children.append(node)
        stack.append((depth, node))
    return root.children


class Compiler:
    """Compiles fields; `types` are the file's ``type`` definitions by name."""

    def __init__(self, types: Mapping[str, Node]) -> None:
        self._types = types

    def object(self, node: Node) -> Schema:
        """The schema of an object with the node's children as fields."""
        schema: Schema = {"type": "object"}
        fields = [child for child in node.children if child.head not in _RULES]
        if fields:
            schema["properties"] = {_name(child): self._field(child) for child in fields}
        required = [_name(child) for child in fields if child.head.endswith("!")]
        if required:
            schema["required"] = required
        for child in node.children:
            if child.head in _RULES:
                schema |= _exclusive(child.words[1:], exactly=child.head == "exactly-one-of")
        return schema

    def _field(self, node: Node) -> Schema:
        if len(node.words) < 2:
            raise LanguageError(f"line {node.number}: {node.head} has no type")
        schema = self._type(node.words[1], node)
        explanation = {"description": node.text} if node.text else {}
        return {**explanation, **schema, **dict(_constraints(node))}

    def _type(self, text: str, node: Node) -> Schema:
        if text[0] == "[":
            return {"type": "array", "items": self._type(text[1:-1], node)}
        if text[0] == "{":
            return {"type": "object", "additionalProperties": self._type(text[1:-1], node)}
        if text == "object" and node.children:
            return self.object(node)
        if text in _SCALARS:
            return dict(_SCALARS[text])
        if text in self._types:
            return self._named(text)
        if "|" in text:
            return {"type": "string", "enum": text.split("|")}
        raise LanguageError(f"line {node.number}: {text!r} is not a type")

    def _named(self, name: str) -> Schema:
        """A type that is defined once: an object, or another name for a type."""
        definition = self._types[name]
        if len(definition.words) > 2:
            alias = Node(["", *definition.words[2:]], "", definition.number, definition.children)
            return self._field(alias)
        return self.object(definition)


_RULES = frozenset({"one-of", "exactly-one-of"})


def _name(node: Node) -> str:
    return node.head.removesuffix("!")


def _constraints(node: Node) -> Iterator[tuple[str, Any]]:
    for word in node.words[2:]:
        key, separator, value = word.partition("=")
        if not separator or key not in _CONSTRAINTS:
            raise LanguageError(f"line {node.number}: {word!r} is not a constraint")
        yield _CONSTRAINTS[key], value if key in ("pattern", "format") else _value(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _exclusive(names: list[str], *, exactly: bool) -> Schema:
    """At most (or exactly) one of some fields, as Istio's generated schemas say it."""
    each = [{"required": [name]} for name in names]
    none: list[Schema] = [] if exactly else [{"not": {"anyOf": each}}]
    return {"oneOf": [*none, *each]}
