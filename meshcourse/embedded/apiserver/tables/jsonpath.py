"""The JSONPath that CRDs may use for printer columns and scale paths. Source: the CRD reference (``jsonPath``).

Supported: fields (``.a``, ``.a\\.b``, ``['a']``), indices (``[0]``, ``[-1]``), ``[*]`` and filters on equality
(``[?(@.type=="Ready")]``). Slices and recursive descent are not; a path with them is refused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

#: From the matches so far to the next ones.
Step = Callable[[list[Any]], list[Any]]

_TOKEN = re.compile(
    r"""\.(?P<field>(?:[^.\[\]\\'"()@?*=\s]|\\.)+)
    | \.?\[(?P<index>-?\d+)\]
    | (?P<star>\.?\[\*\]|\.\*)
    | \.?\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]
    | \[\?\(\s*@\.(?P<left>[^=!\s]+)\s*(?P<op>==|!=)\s*(?P<right>"[^"]*"|'[^']*'|[\w.-]+)\s*\)\]""",
    re.VERBOSE,
)


@functools.lru_cache(maxsize=512)
def compile_path(path: str) -> tuple[Step, ...]:
    """The steps of a path such as ``.status.conditions[?(@.type=="Ready")].status``.

    :raises ValueError: if the path is not of the supported form.
    """
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    text = text.removeprefix("$")
    if text and text[0] not in ".[":
        text = f".{text}"
    steps, position = [], 0
    while position < len(text) and text != ".":
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"unsupported JSONPath {path!r} at {text[position:]!r}")
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def find(obj: Any, path: str) -> list[Any]:
    """All matches, [] if a step is absent."""
    found = [obj]
    for step in compile_path(path):
        found = step(found)
    return found


def _step(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return functools.partial(_index, int(match["index"]))
    if match["star"]:
        return _all
    if match["left"]:
        return functools.partial(
            _filter, match["left"], match["op"] == "==", _literal(match["right"])
        )
    field = match["key"] if match["key"] is not None else re.sub(r"\\(.)", r"\1", match["field"])
    return functools.partial(_field, field)


def _literal(text: str) -> str:
    return text[1:-1] if text[0] in "'\"" else text


def _field(name: str, values: list[Any]) -> list[Any]:
    return [value[name] for value in values if isinstance(value, dict) and name in value]


def _index(index: int, values: list[Any]) -> list[Any]:
    return [
        value[index]
        for value in values
        if isinstance(value, list) and -len(value) <= index < len(value)
    ]


def _all(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict | list):
            found.extend(value.values() if isinstance(value, dict) else value)
    return found


def _filter(path: str, equal: bool, wanted: str, values: list[Any]) -> list[Any]:
    return [item for item in _all(values) if _matches(item, path, wanted) == equal]


def _matches(item: Any, path: str, wanted: str) -> bool:
    for step in path.split("."):
        item = item.get(step) if isinstance(item, dict) else None
    text = str(item).lower() if isinstance(item, bool) else str(item)
    return item is not None and text == wanted
