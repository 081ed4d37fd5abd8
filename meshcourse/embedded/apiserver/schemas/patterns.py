"""Regular expressions as Go's RE2 reads them, for Python's ``re``.

Differences that matter: in RE2 ``$`` is the very end (Python also takes the place before a last line break), ``\\z`` is
its other spelling, and flags like ``(?i)`` may stand anywhere. Source: RE2's syntax page.
"""

from __future__ import annotations

import functools
import re

_FLAGS = re.compile(r"\(\?([imsU]+)\)")
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "space": r"\s",
    "word": r"\w", "xdigit": "0-9A-Fa-f", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip
_POSIX_CLASS = re.compile(r"\[:(\w+):\]")


@functools.lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """:raises re.error: if it is not a regular expression (or one of a kind that only RE2 knows)."""
    flags = "".join(sorted(set("".join(_FLAGS.findall(pattern))) & set("ims")))
    translated = "".join(_translated(_FLAGS.sub("", pattern)))
    return re.compile(f"(?{flags}){translated}" if flags else translated)


def found(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in `text`; a pattern that cannot be compiled matches everything."""
    try:
        return compile_pattern(pattern).search(text) is not None
    except re.error:
        return True


def _translated(pattern: str) -> list[str]:
    made: list[str] = []
    position, in_class = 0, False
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            pair = pattern[position : position + 2]
            made.append(r"\Z" if pair == r"\z" else pair)
            position += 2
            continue
        if character == "[" and not in_class:
            in_class = True
            # A bracket right after the start, also after ^, is a character.
            end = position + (2 if pattern[position + 1 : position + 2] == "^" else 1)
            if pattern[end : end + 1] == "]":
                made.append(pattern[position:end] + r"\]")
                position = end + 1
                continue
        elif character == "]":
            in_class = False
        elif character == "[":
            named = _POSIX_CLASS.match(pattern, position)
            if named is not None and named[1] in _POSIX:
                made.append(_POSIX[named[1]])
                position = named.end()
                continue
            character = r"\["
        made.append(r"\Z" if character == "$" and not in_class else character)
        position += 1
    return made
