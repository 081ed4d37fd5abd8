"""Words of CEL. Source: the language definition (lexis)."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple


class SyntaxProblem(ValueError):
    """The text is not CEL."""


class Token(NamedTuple):
    """`kind` is ``name``, ``literal``, ``op`` or ``end``; `value` the name, the literal's value or the operator."""

    kind: str
    value: Any
    position: int


_TOKEN: Final = re.compile(
    r"""(?P<space>(?:\s|//[^\n]*)+)
    | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<int>0[xX][0-9a-fA-F]+|\d+)[uU]?
    | (?P<string>(?P<prefix>[rRbB]{0,2})(?P<quote>\"{3}|'{3}|"|'))
    | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
    | (?P<op>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE,
)
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_WORDS: Final = {"true": True, "false": False, "null": None}


def tokens(text: str) -> list[Token]:
    """All tokens, ``end`` last.

    :raises SyntaxProblem: at the first character that fits nowhere.
    """
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SyntaxProblem(f"Syntax error: token recognition error at: '{text[position]}'")
        if match["string"] is not None:
            value, end = _string(text, match)
            found.append(Token("literal", value, position))
            position = end
            continue
        if match["space"] is None:
            found.append(_token(match, position))
        position = match.end()
    found.append(Token("end", "<EOF>", position))
    return found


def _token(match: re.Match[str], position: int) -> Token:
    if match["float"] is not None:
        return Token("literal", float(match["float"]), position)
    if match["int"] is not None:
        return Token("literal", int(match["int"], 0), position)
    name = match["name"]
    if name in _WORDS:
        return Token("literal", _WORDS[name], position)
    return Token("name", name, position) if name is not None else Token("op", match["op"], position)


def _string(text: str, match: re.Match[str]) -> tuple[Any, int]:
    quote, prefix = match["quote"], match["prefix"].lower()
    start = position = match.end()
    while not text.startswith(quote, position):
        if position >= len(text) or (len(quote) == 1 and text[position] == "\n"):
            raise SyntaxProblem(
                f"Syntax error: token recognition error at: '{text[match.start() :]}'"
            )
        position += 2 if text[position] == "\\" and "r" not in prefix else 1
    body = text[start:position]
    if "r" not in prefix:
        body = _ESCAPE.sub(_unescape, body)
    return body.encode() if "b" in prefix else body, position + len(quote)


def _unescape(match: re.Match[str]) -> str:
    for group, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
        if match[group]:
            return chr(int(match[group], base))
    if match[5] not in _ESCAPES:
        raise SyntaxProblem(f"Syntax error: bad escape sequence: {match[0]}")
    return _ESCAPES[match[5]]
