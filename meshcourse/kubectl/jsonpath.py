"""kubectl's JSONPath templates: ``{.items[*].metadata.name}``, ``{range .items[*]}…{end}``, filters, quoted text. Pure.

Source: Kubernetes documentation, "JSONPath Support". A missing key is an error only at the top of a template, as in
kubectl with its default ``--allow-missing-template-keys``: nothing is printed for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from meshcourse.kubectl.errors import KubectlError

Step = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class _Range:
    """``{range PATH}`` with what stands up to its ``{end}``."""

    path: list[Step]
    body: list[Any]


def render(template: str, data: Any) -> str:
    """The text that a template makes of an object.

    :raises KubectlError: if the template does not parse.
    """
    nodes, rest = _nodes(_tokens(template), 0, nested=False)
    assert rest == len(_tokens(template))
    return "".join(_run(nodes, data, data))


def find(path: str, data: Any) -> list[Any]:
    """The values at a path such as ``.status.phase`` or ``{.status.phase}``.

    :raises KubectlError: if the path does not parse.
    """
    text = path.strip().removeprefix("{").removesuffix("}")
    return _walk(_path(text if text.startswith((".", "$", "[")) else f".{text}"), data)


_ACTION = re.compile(r"""\{(?:"(?:\\.|[^"])*"|'(?:\\.|[^'])*'|[^{}])*\}""")


def _tokens(template: str) -> list[str]:
    """Literal text, and ``{…}`` with its braces.

    :raises KubectlError: for a brace without its other half.
    """
    found: list[str] = []
    position = 0
    for match in (*_ACTION.finditer(template), None):
        literal = template[position : match.start() if match else None]
        if "{" in literal or "}" in literal:
            raise KubectlError(f"error parsing jsonpath {template}, unclosed action")
        found += [literal] if literal else []
        if match:
            found.append(match[0])
            position = match.end()
    return found


def _nodes(tokens: list[str], at: int, *, nested: bool) -> tuple[list[Any], int]:
    nodes: list[Any] = []
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if not token.startswith("{"):
            nodes.append(token)
            continue
        inner = token[1:-1].strip()
        if inner == "end":
            if not nested:
                raise KubectlError("error parsing jsonpath, not in range")
            return nodes, at
        if inner.startswith("range"):
            body, at = _nodes(tokens, at, nested=True)
            nodes.append(_Range(_path(inner.removeprefix("range").strip()), body))
        else:
            nodes.extend(_action(inner))
    if nested:
        raise KubectlError("error parsing jsonpath, unclosed range")
    return nodes, at


def _action(inner: str) -> list[Any]:
    if inner[:1] in ("'", '"'):
        return [_unquote(inner)]
    return [_path(inner)]


def _run(nodes: list[Any], here: Any, root: Any) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, _Range):
            for item in _walk(node.path, here):
                yield from _run(node.body, item, root)
        else:
            yield " ".join(_text(value) for value in _walk(node, here))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _walk(path: list[Step], data: Any) -> list[Any]:
    values = [data]
    for step in path:
        values = [found for value in values for found in step(value)]
    return values


_STEP = re.compile(
    r"""\.\.(?P<deep>[\w*-]+)?
      | \.?\[\?\((?P<filter>.*?)\)\]
      | \.?\[(?P<bracket>(?:'[^']*'|"[^"]*"|[^\]])*)\]
      | \.?(?P<key>(?:\\.|[^.\[\]\\])+)
      | \.(?=$|\[)""",
    re.X,
)


def _path(text: str) -> list[Step]:
    """The steps of ``.items[?(@.a=="b")].c``.

    :raises KubectlError: where it stops making sense.
    """
    text = text.removeprefix("$").removeprefix("@")
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or match.end() == position:
            raise KubectlError(
                f"error parsing jsonpath {{{text}}}, unrecognized character at {position}"
            )
        steps += _steps(match)
        position = match.end()
    return steps


def _steps(match: re.Match[str]) -> list[Step]:
    if match["filter"] is not None:
        return [_filter(match["filter"])]
    if match["bracket"] is not None:
        return [_bracket(match["bracket"].strip())]
    if match["key"] is not None:
        key = re.sub(r"\\(.)", r"\1", match["key"])
        return [_every] if key == "*" else [_key(key)]
    if match[0].startswith(".."):
        return [_descend, *([_key(match["deep"])] if match["deep"] else [])]
    return []


def _key(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _every(value: Any) -> Iterator[Any]:
    yield from (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )


def _descend(value: Any) -> Iterator[Any]:
    yield value
    for item in _every(value):
        yield from _descend(item)


def _bracket(text: str) -> Step:
    if text == "*":
        return _every
    if text[:1] in ("'", '"'):
        names = [_unquote(part.strip()) for part in text.split(",")]
        return lambda value: (found for name in names for found in _key(name)(value))
    if ":" in text:
        bounds = [int(part) if part.strip() else None for part in text.split(":")]
        return lambda value: iter(value[slice(*bounds)] if isinstance(value, list) else ())
    if not re.fullmatch(r"-?\d+(\s*,\s*-?\d+)*", text):
        raise KubectlError(f"error parsing jsonpath, invalid array index {text}")
    indexes = [int(part) for part in text.split(",")]
    return lambda value: (
        value[i] for i in indexes if isinstance(value, list) and -len(value) <= i < len(value)
    )


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


def _filter(text: str) -> Step:
    """``@.name=="x"``, ``@.ready==true``, or just ``@.name`` (is there)."""
    operator = next((sign for sign in _OPERATORS if sign in text), "")
    left, _, right = text.partition(operator) if operator else (text, "", "")
    path, wanted = _path(left.strip()), _literal(right.strip()) if operator else None

    def step(value: Any) -> Iterator[Any]:
        for item in _every(value):
            found = _walk(path, item)
            if found and (not operator or _compare(operator, found[0], wanted)):
                yield item

    return step


def _compare(operator: str, left: Any, right: Any) -> bool:
    try:
        return _OPERATORS[operator](left, right)
    except TypeError:
        return False


def _literal(text: str) -> Any:
    if text[:1] in ("'", '"'):
        return _unquote(text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unquote(text: str) -> str:
    inner = text[1:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), inner)
