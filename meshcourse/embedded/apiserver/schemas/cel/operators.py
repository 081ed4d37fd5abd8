"""What expressions do when they run: each function makes a closure from the closures of its parts.

Source: the CEL specification (evaluation): ``&&`` and ``||`` forgive an error on one side if the other decides.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.cel import functions, lexer, values
from meshcourse.embedded.apiserver.schemas.cel.values import EvaluationError

#: Variables by name.
Scope = dict[str, Any]
Node = Callable[[Scope], Any]

_ABSENT: Final = object()
#: Field names that CEL cannot write, as Kubernetes escapes them.
_ESCAPED: Final = re.compile(r"__(underscores|dot|dash|slash|[a-z]+)__")
_SYMBOLS: Final = {"underscores": "__", "dot": ".", "dash": "-", "slash": "/"}


def constant(value: Any) -> Node:
    return lambda scope: value


def variable(name: str) -> Node:
    def run(scope: Scope) -> Any:
        if name not in scope:
            raise EvaluationError(f"undeclared reference to '{name}' (in container '')")
        return scope[name]

    return run


def _unescaped(name: str) -> str:
    return _ESCAPED.sub(lambda match: _SYMBOLS.get(match[1], match[1]), name)


def _get(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, _ABSENT)
    raise EvaluationError("no such overload")


def field(receiver: Node, name: str) -> Node:
    plain = _unescaped(name)

    def run(scope: Scope) -> Any:
        found = _get(receiver(scope), plain)
        if found is _ABSENT:
            raise EvaluationError(f"no such key: {plain}")
        return found

    run.present = lambda scope: _get(receiver(scope), plain) is not _ABSENT  # type: ignore[attr-defined]
    return run


def has(selected: Node) -> Node:
    """``has(a.b)``: only of a field."""
    present: Node | None = getattr(selected, "present", None)
    if present is None:
        raise lexer.SyntaxProblem("invalid argument to has() macro")
    return present


def element(receiver: Node, index: Node) -> Node:
    def run(scope: Scope) -> Any:
        container, key = receiver(scope), index(scope)
        if isinstance(container, dict):
            if key not in container:
                raise EvaluationError(f"no such key: {key}")
            return container[key]
        if isinstance(container, list) and isinstance(key, int):
            if not 0 <= key < len(container):
                raise EvaluationError(f"index out of bounds: {key}")
            return container[key]
        raise EvaluationError("no such overload")

    return run


def call(function: Callable[..., Any], arguments: list[Node]) -> Node:
    return lambda scope: functions.call(function, [argument(scope) for argument in arguments])


def conditional(condition: Node, then: Node, otherwise: Node) -> Node:
    return lambda scope: then(scope) if values.boolean(condition(scope)) else otherwise(scope)


def negation(part: Node) -> Node:
    return lambda scope: not values.boolean(part(scope))


def both(left: Node, right: Node) -> Node:
    return functools.partial(_decide, False, left, right)


def either(left: Node, right: Node) -> Node:
    return functools.partial(_decide, True, left, right)


def _decide(decisive: bool, left: Node, right: Node, scope: Scope) -> bool:
    """The value that decides wins, even if the other side cannot be evaluated."""
    try:
        if values.boolean(left(scope)) is decisive:
            return decisive
    except EvaluationError:
        if values.boolean(right(scope)) is decisive:
            return decisive
        raise
    return values.boolean(right(scope))


def relation(symbol: str, left: Node, right: Node) -> Node:
    if symbol == "==":
        return lambda scope: values.equal(left(scope), right(scope))
    if symbol == "!=":
        return lambda scope: not values.equal(left(scope), right(scope))
    test = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[symbol]
    return lambda scope: test(values.compare(left(scope), right(scope)), 0)


def membership(left: Node, right: Node) -> Node:
    return lambda scope: values.contains(right(scope), left(scope))


def arithmetic(symbol: str, left: Node, right: Node) -> Node:
    return lambda scope: _calculate(symbol, left(scope), right(scope))


def _calculate(symbol: str, left: Any, right: Any) -> Any:
    if isinstance(left, bool) or isinstance(right, bool):
        raise EvaluationError("no such overload")
    try:
        if symbol == "+":
            return left + right
        if symbol == "-":
            return left - right
        if symbol == "*":
            return left * right
        return _divided(symbol, left, right)
    except TypeError:
        raise EvaluationError("no such overload") from None


def _divided(symbol: str, left: Any, right: Any) -> Any:
    """Integers divide towards zero."""
    if right == 0 and isinstance(right, int):
        raise EvaluationError("division by zero" if symbol == "/" else "modulus by zero")
    if isinstance(left, dt.timedelta) or not isinstance(left, int) or not isinstance(right, int):
        return left / right
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if symbol == "/" else left - quotient * right


def list_of(parts: list[Node]) -> Node:
    return lambda scope: [part(scope) for part in parts]


def map_of(entries: list[tuple[Node, Node]]) -> Node:
    return lambda scope: {key(scope): value(scope) for key, value in entries}


def macro(name: str, receiver: Node, variable_: str, arguments: list[Node]) -> Node:
    """``all``, ``exists``, ``exists_one``, ``filter``, ``map`` over the elements of a list or the keys of a map."""
    return functools.partial(_MACROS[name], receiver, variable_, arguments)


def _scopes(receiver: Node, name: str, scope: Scope) -> Iterator[Scope]:
    found = receiver(scope)
    if not isinstance(found, list | dict):
        raise EvaluationError("no such overload")
    for each in found:
        yield {**scope, name: each}


def _quantified(
    decisive: bool, receiver: Node, name: str, arguments: list[Node], scope: Scope
) -> bool:
    failure: EvaluationError | None = None
    for inner in _scopes(receiver, name, scope):
        try:
            if values.boolean(arguments[0](inner)) is decisive:
                return decisive
        except EvaluationError as error:
            failure = error
    if failure is not None:
        raise failure
    return not decisive


def _one(receiver: Node, name: str, arguments: list[Node], scope: Scope) -> bool:
    inner = _scopes(receiver, name, scope)
    return sum(values.boolean(arguments[0](each)) for each in inner) == 1


def _filter(receiver: Node, name: str, arguments: list[Node], scope: Scope) -> list[Any]:
    inner = _scopes(receiver, name, scope)
    return [each[name] for each in inner if values.boolean(arguments[0](each))]


def _map(receiver: Node, name: str, arguments: list[Node], scope: Scope) -> list[Any]:
    inner = list(_scopes(receiver, name, scope))
    if len(arguments) == 2:
        inner = [each for each in inner if values.boolean(arguments[0](each))]
    return [arguments[-1](each) for each in inner]


_MACROS: Final[dict[str, Callable[..., Any]]] = {
    "all": functools.partial(_quantified, False),
    "exists": functools.partial(_quantified, True),
    "exists_one": _one,
    "existsOne": _one,
    "filter": _filter,
    "map": _map,
}
