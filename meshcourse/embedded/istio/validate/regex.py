"""Whether a regular expression is one of RE2, which Envoy uses, with the messages of Go's parser.

Python's ``re`` accepts what RE2 does not (look-around, back references) and words its complaints
differently, so that the expression is scanned here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 1024
_MOST_REPEATS: Final = 1000
_ESCAPES: Final = frozenset("aftnrvdDsSwWbBAzQECpPx01234567")
_CLASS_NAMES: Final = frozenset(
    (
        "alnum",
        "alpha",
        "ascii",
        "blank",
        "cntrl",
        "digit",
        "graph",
        "lower",
        "print",
        "punct",
        "space",
        "upper",
        "word",
        "xdigit",
    )
)
_FLAGS: Final = frozenset("imsU-")


@dataclass
class _Scanner:
    text: str
    position: int = 0
    depth: int = 0
    #: Where the last repeatable item began, -1 if there is none; where the last repetition did.
    item: int = -1
    repeat: int = -1

    @property
    def rest(self) -> str:
        return self.text[self.position :]

    def fail(self, what: str, part: str) -> _Invalid:
        return _Invalid(f"error parsing regexp: {what}: `{part}`")


class _Invalid(ValueError):
    pass


def complaint(text: str) -> str:
    """Go's message about the expression, "" if it is fine."""
    try:
        _scan(_Scanner(text))
    except _Invalid as error:
        return str(error)
    return ""


def check(text: str, where: str) -> Iterator[str]:
    """Istio's message about an expression in the field `where`."""
    if len(text) > _LONGEST:
        yield f'"{where}": regex is too large, max length allowed is 1024'
    elif found := complaint(text):
        advice = (
            "Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)"
        )
        yield f'"{where}": {found}; {advice}'


def _scan(scanner: _Scanner) -> None:
    while scanner.position < len(scanner.text):
        character = scanner.text[scanner.position]
        if character in "*+?":
            _repetition(scanner, 1)
        elif character == "{" and (length := _braces(scanner)):
            _repetition(scanner, length)
        else:
            scanner.repeat = -1
            _item(scanner, character)
    if scanner.depth:
        raise scanner.fail("missing closing )", scanner.text)


def _item(scanner: _Scanner, character: str) -> None:
    if character == "(":
        _open(scanner)
    elif character == ")":
        _close(scanner)
    elif character == "|":
        scanner.position, scanner.item = scanner.position + 1, -1
    elif character == "[":
        scanner.item = scanner.position
        _class(scanner)
    elif character == "\\":
        scanner.item = scanner.position
        _escape(scanner)
    else:
        scanner.item = scanner.position
        scanner.position += 1


def _repetition(scanner: _Scanner, length: int) -> None:
    start = scanner.position
    operator = scanner.text[start : start + length]
    if scanner.item < 0:
        raise scanner.fail("missing argument to repetition operator", operator)
    if scanner.repeat >= 0:
        both = scanner.text[scanner.repeat : start + length]
        raise scanner.fail("invalid nested repetition operator", both)
    scanner.position += length
    if scanner.rest.startswith("?"):
        scanner.position += 1
    scanner.repeat = start


def _braces(scanner: _Scanner) -> int:
    """The length of ``{2}``, ``{2,}`` or ``{2,5}`` here; 0 if it is not a repetition (a literal
    brace).
    """
    inner, closed, _ = scanner.rest[1:].partition("}")
    low, comma, high = inner.partition(",")
    if not closed or not low.isdigit() or (comma and high and not high.isdigit()):
        return 0
    part = scanner.rest[: len(inner) + 2]
    least, most = int(low), int(high) if high else int(low)
    if least > _MOST_REPEATS or most > _MOST_REPEATS or most < least:
        raise scanner.fail("invalid repeat count", part)
    return len(part)


def _open(scanner: _Scanner) -> None:
    scanner.depth += 1
    scanner.item = -1
    if not scanner.rest.startswith("(?"):
        scanner.position += 1
        return
    if scanner.rest.startswith(("(?P<", "(?<")) and scanner.rest[3:4] not in ("=", "!"):
        _group_name(scanner)
        return
    _flags(scanner)


def _group_name(scanner: _Scanner) -> None:
    head, closed, _ = scanner.rest.partition(">")
    name = head.rpartition("<")[2]
    if not closed:
        raise scanner.fail("invalid named capture", scanner.rest)
    if not name or not name.replace("_", "a").isalnum() or not name.isascii():
        raise scanner.fail("invalid named capture", f"{head}>")
    scanner.position += len(head) + 1


def _flags(scanner: _Scanner) -> None:
    length = 2
    while scanner.rest[length : length + 1] in _FLAGS and scanner.rest[length : length + 1]:
        length += 1
    end = scanner.rest[length : length + 1]
    part = scanner.rest[: length + 1]
    if not end:
        raise scanner.fail("missing closing )", scanner.text)
    if end not in (":", ")") or (length == 2 and end == ")"):
        raise scanner.fail("invalid or unsupported Perl syntax", part)
    scanner.position += length + 1
    if end == ")":
        scanner.depth -= 1


def _close(scanner: _Scanner) -> None:
    if not scanner.depth:
        raise scanner.fail("unexpected )", scanner.text)
    scanner.depth -= 1
    scanner.item = scanner.position
    scanner.position += 1


def _escape(scanner: _Scanner) -> None:
    if len(scanner.rest) < 2:
        raise _Invalid("error parsing regexp: trailing backslash at end of expression: ``")
    character = scanner.rest[1]
    known = character in _ESCAPES and (character not in "1234567" or _octal(scanner))
    if character.isalnum() and character.isascii() and not known:
        raise scanner.fail("invalid escape sequence", f"\\{character}")
    scanner.position += 2


def _octal(scanner: _Scanner) -> bool:
    """``\\12`` is a character, ``\\1`` would be a back reference."""
    return scanner.rest[2:3].isdigit()


def _class(scanner: _Scanner) -> None:
    start, length = scanner.rest, 1
    length += start[length : length + 1] == "^"
    length += start[length : length + 1] == "]"
    while length < len(start) and start[length] != "]":
        length += _class_part(scanner, start, length)
    if length >= len(start):
        raise scanner.fail("missing closing ]", start)
    scanner.position += length + 1


def _class_part(scanner: _Scanner, text: str, at: int) -> int:
    if text.startswith("[:", at) and ":]" in text[at:]:
        name = text[at + 2 :].partition(":]")[0]
        if name.lstrip("^") not in _CLASS_NAMES:
            raise scanner.fail("invalid character class range", f"[:{name}:]")
        return len(name) + 4
    if text[at] == "\\":
        following = text[at + 1 : at + 2]
        if following.isalnum() and following not in _ESCAPES:
            raise scanner.fail("invalid escape sequence", f"\\{following}")
        return 2
    high = text[at + 2 : at + 3]
    if text[at + 1 : at + 2] == "-" and high not in ("", "]", "\\") and high < text[at]:
        raise scanner.fail("invalid character class range", text[at : at + 3])
    return 1
