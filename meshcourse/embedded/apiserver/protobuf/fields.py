"""Numbers of protobuf fields by message: ``fields.txt``, read once.

A line is a message and its fields in order; a number in front of a field (``17:managedFields``) says where counting
goes on. ``>Message`` is a message whose fields JSON has inline; ``*`` marks what Go has as a pointer, so that its
zero value means something. Types come from the schemas. Source of the numbers: Kubernetes' published .proto files.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import NamedTuple

_HEADER = "# "


class Field(NamedTuple):
    """`name` is the JSON name, or the message's name if `inline`."""

    name: str
    inline: bool
    pointer: bool


#: Fields of a message by number.
Message = dict[int, Field]


@functools.cache
def messages() -> dict[str, Message]:
    """All messages by full name (``io.k8s.api.core.v1.Pod``)."""
    text = resources.files(__package__).joinpath("fields.txt").read_text("utf-8")
    package, found = "", {}
    for line in text.splitlines():
        if line.startswith(_HEADER):
            package = line.removeprefix(_HEADER)
        elif line:
            name, *tokens = line.split()
            found[f"{package}.{name}"] = _parse(tokens)
    return found


def _parse(tokens: list[str]) -> Message:
    number, message = 0, {}
    for token in tokens:
        at, colon, rest = token.partition(":")
        number = int(at) if colon else number + 1
        text = rest if colon else token
        name = text.rstrip("*").lstrip(">")
        message[number] = Field(name, text.startswith(">"), text.endswith("*"))
    return message
