"""From the text of a rule to a function. Source: the grammar of the CEL specification.

Every expression becomes a closure over its parts: rules are compiled once and run for every object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.cel import functions, lexer, operators
from meshcourse.embedded.apiserver.schemas.cel.lexer import SyntaxProblem, Token
from meshcourse.embedded.apiserver.schemas.cel.operators import Node, Scope

#: A compiled rule: from the variables (``self``, ``oldSelf``) to its value; raises `EvaluationError`.
Program = Callable[[Scope], Any]

_RELATIONS: Final = ("==", "!=", "<", "<=", ">", ">=")
_MACROS: Final = ("all", "exists", "exists_one", "existsOne", "filter", "map")


def compile_expression(text: str) -> Program:
    """:raises SyntaxProblem: if `text` is not CEL, or calls what is not known here (``undeclared reference``)."""
    return _Parser(lexer.tokens(text)).whole()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Node:
        found = self._expression()
        if self._peek().kind != "end":
            raise self._unexpected()
        return found

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is(self, *operators_: str) -> bool:
        token = self._peek()
        return token.kind == "op" and token.value in operators_

    def _take(self, *operators_: str) -> str:
        """The operator that comes next if it is one of these, else ""."""
        return str(self._next().value) if self._is(*operators_) else ""

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise self._unexpected(f", expecting '{operator}'")

    def _unexpected(self, more: str = "") -> SyntaxProblem:
        token = self._peek()
        return SyntaxProblem(
            f"Syntax error: mismatched input '{token.value}' at {token.position}{more}"
        )

    def _expression(self) -> Node:
        condition = self._or()
        if not self._take("?"):
            return condition
        then = self._or()
        self._expect(":")
        return operators.conditional(condition, then, self._expression())

    def _or(self) -> Node:
        found = self._and()
        while self._take("||"):
            found = operators.either(found, self._and())
        return found

    def _and(self) -> Node:
        found = self._relation()
        while self._take("&&"):
            found = operators.both(found, self._relation())
        return found

    def _relation(self) -> Node:
        found = self._sum()
        while True:
            if operator := self._take(*_RELATIONS):
                found = operators.relation(operator, found, self._sum())
            elif self._peek()[:2] == ("name", "in"):
                self._next()
                found = operators.membership(found, self._sum())
            else:
                return found

    def _sum(self) -> Node:
        found = self._product()
        while operator := self._take("+", "-"):
            found = operators.arithmetic(operator, found, self._product())
        return found

    def _product(self) -> Node:
        found = self._unary()
        while operator := self._take("*", "/", "%"):
            found = operators.arithmetic(operator, found, self._unary())
        return found

    def _unary(self) -> Node:
        if self._take("!"):
            return operators.negation(self._unary())
        if self._take("-"):
            return operators.arithmetic("-", operators.constant(0), self._unary())
        return self._member()

    def _member(self) -> Node:
        found = self._primary()
        while True:
            if self._take("."):
                found = self._after_dot(found)
            elif self._take("["):
                index = self._expression()
                self._expect("]")
                found = operators.element(found, index)
            else:
                return found

    def _after_dot(self, receiver: Node) -> Node:
        name = self._name()
        if not self._take("("):
            return operators.field(receiver, name)
        if name in _MACROS:
            return self._macro(receiver, name)
        arguments = self._arguments(")")
        if name not in functions.METHODS:
            raise SyntaxProblem(f"undeclared reference to '{name}' (in container '')")
        return operators.call(functions.METHODS[name], [receiver, *arguments])

    def _name(self) -> str:
        token = self._next()
        if token.kind != "name":
            self._at -= 1
            raise self._unexpected()
        return str(token.value)

    def _macro(self, receiver: Node, name: str) -> Node:
        variable = self._name()
        self._expect(",")
        arguments = self._arguments(")")
        if len(arguments) not in ((1, 2) if name == "map" else (1,)):
            raise SyntaxProblem(f"wrong number of arguments to macro '{name}'")
        return operators.macro(name, receiver, variable, arguments)

    def _arguments(self, end: str) -> list[Node]:
        found: list[Node] = []
        while not self._take(end):
            found.append(self._expression())
            if not self._is(end):
                self._expect(",")
        return found

    def _primary(self) -> Node:
        token = self._peek()
        if token.kind == "literal":
            return operators.constant(self._next().value)
        if token.kind == "name" and token.value != "in":
            return self._named()
        if self._take("("):
            found = self._expression()
            self._expect(")")
            return found
        if self._take("["):
            return operators.list_of(self._arguments("]"))
        if self._take("{"):
            return self._map()
        raise self._unexpected()

    def _named(self) -> Node:
        name = self._name()
        if name == "format" and self._is("."):
            return self._format()
        if not self._take("("):
            return operators.variable(name)
        arguments = self._arguments(")")
        if name == "has":
            return operators.has(*arguments[:1] or [operators.constant(None)])
        if name not in functions.GLOBALS:
            raise SyntaxProblem(f"undeclared reference to '{name}' (in container '')")
        return operators.call(functions.GLOBALS[name], arguments)

    def _format(self) -> Node:
        """``format.dns1123Label()``."""
        self._expect(".")
        name = self._name()
        self._expect("(")
        self._expect(")")
        return operators.call(lambda: functions.named_format(name), [])

    def _map(self) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self._take("}"):
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression()))
            if not self._is("}"):
                self._expect(",")
        return operators.map_of(entries)
