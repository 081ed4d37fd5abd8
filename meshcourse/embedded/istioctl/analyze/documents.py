"""Objects out of YAML, with the line of every field. Pure: text in, items out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from meshcourse.embedded.istioctl.analyze.item import Item

_SEPARATOR: Final = re.compile(r"---\s*$")
#: Kinds that are taken from the cluster only, as with real istioctl.
LIVE_ONLY: Final = frozenset(("Service", "Namespace", "Node", "Pod", "Secret"))
_CLUSTER_SCOPED: Final = frozenset(
    (
        "CustomResourceDefinition",
        "GatewayClass",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    )
)


@dataclass(slots=True)
class Read:
    """What a file holds."""

    items: list[Item] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read(text: str, file: str, namespace: str) -> Read:
    """Every object of a file.

    :param namespace: of objects that name none; "" leaves them without.
    """
    found = Read()
    for number, (start, chunk) in enumerate(split(text)):
        try:
            node = yaml.compose(chunk, Loader=yaml.CSafeLoader)
            document = yaml.load(chunk, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            why = " ".join(str(error).split())
            found.problems.append(f"error processing {file}[{number}]: {why}")
            continue
        if document is not None and node is not None:
            _take(found, _Source(file, start, namespace, number), document, node)
    return found


@dataclass(frozen=True, slots=True)
class _Source:
    file: str
    start: int
    namespace: str
    number: int


def _take(found: Read, source: _Source, document: Any, node: yaml.Node) -> None:
    where = f"error processing {source.file}[{source.number}]"
    if not isinstance(document, dict) or not document.get("kind"):
        why = "unable to parse resource with no group, version and kind"
        found.problems.append(f"{where}: {why}")
        return
    if document["kind"] == "List":
        nodes = _value(node, "items")
        for item, part in zip(document.get("items") or (), nodes, strict=False):
            _take(found, source, item, part)
        return
    found.items.append(_item(source, document, node))


def _value(node: yaml.Node, key: str) -> list[yaml.Node]:
    """The nodes of a list field."""
    assert isinstance(node, yaml.MappingNode)
    for name, value in node.value:
        if name.value == key and isinstance(value, yaml.SequenceNode):
            return list(value.value)
    return []


def _item(source: _Source, document: dict[str, Any], node: yaml.Node) -> Item:
    # Comments before a document count as its beginning; a member of a List begins where it stands.
    first = node.start_mark.line + source.start if node.start_mark.column else source.start
    meta = dict(document.get("metadata") or {})
    if source.namespace and not meta.get("namespace") and document["kind"] not in _CLUSTER_SCOPED:
        meta["namespace"] = source.namespace
    lines = dict(_lines(node, "", source.start))
    return Item({**document, "metadata": meta}, source.file, first, lines)


def _lines(node: yaml.Node, path: str, start: int) -> Iterator[tuple[str, int]]:
    """Path and line of every scalar."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, f"{path}.{key.value}" if path else str(key.value), start)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, f"{path}[{number}]", start)
    else:
        yield path, node.start_mark.line + start


def split(text: str) -> Iterator[tuple[int, str]]:
    """Documents and the lines (from 1) where they begin."""
    lines: list[str] = []
    start = 0
    for number, line in enumerate([*text.splitlines(), "---"], 1):
        if _SEPARATOR.match(line):
            if any(one.strip() for one in lines):
                yield start, "\n".join(lines) + "\n"
            lines = []
        elif lines or line.strip():
            start = start if lines else number
            lines.append(line)
