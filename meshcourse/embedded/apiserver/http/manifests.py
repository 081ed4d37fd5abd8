"""YAML as Kubernetes reads it: JSON's data model, so no dates, and keys are strings.

Source: sigs.k8s.io/yaml, which turns YAML into JSON first.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOL = "tag:yaml.org,2002:bool"
#: The C composer recurses without a limit; no manifest is nested this deep.
_DEPTH = 200
#: Aliases can make a small text stand for an endless one.
_MOST_NODES = 1_000_000


class _Loader(_Base):  # type: ignore[misc]
    """Time stamps stay text, and so do ``y``, ``n``, ``on``, ``off`` (booleans of YAML 1.2 only)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":bool"))]
    for first, found in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load(text: bytes) -> Any:
    """The only document of `text`.

    :raises yaml.YAMLError: if it does not parse.
    :raises ValueError: for values that JSON does not have, and for nesting without end.
    """
    try:
        return orjson.loads(text)  # most clients send JSON, which is YAML and parses faster
    except orjson.JSONDecodeError:
        pass
    _check_depth(text)
    loaded = yaml.load(text, Loader=_Loader)
    try:
        if _nodes(loaded, {}) > _MOST_NODES:
            raise ValueError("document contains excessive aliasing")
        return orjson.loads(orjson.dumps(loaded, option=orjson.OPT_NON_STR_KEYS))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _check_depth(text: bytes) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEPTH:
            raise ValueError("exceeded max depth")


def _nodes(value: Any, known: dict[int, int]) -> int:
    """How many nodes a value has with its aliases written out. `known` holds the counts by identity."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        below = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_nodes(child, known) for child in below)
    return known[id(value)]
