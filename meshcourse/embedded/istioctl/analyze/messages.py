"""The messages of ``istioctl analyze``: code, level and wording.

Source: the configuration analysis messages of istio.io (reference/config/analysis), Istio 1.30.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from meshcourse import versions
from meshcourse.embedded.istioctl.analyze.item import Item

_MINOR: Final = versions.ISTIO.rpartition(".")[0]
#: Where each message is explained.
DOCUMENTATION: Final = f"https://istio.io/v{_MINOR}/docs/reference/config/analysis"


class Level(enum.IntEnum):
    """How bad; the lower the worse."""

    ERROR = 0
    WARNING = 1
    INFO = 2

    @property
    def title(self) -> str:
        """``Error``, ``Warning``, ``Info``."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True)
class Type:
    """A kind of message. The template has Go's ``%s``, ``%v``, ``%q`` and ``%d``."""

    name: str
    code: str
    level: Level
    template: str


@dataclass(frozen=True, slots=True)
class Message:
    """One finding about an object (None: about the cluster)."""

    type: Type
    item: Item | None
    arguments: tuple[Any, ...] = ()
    line: int = 0
    #: What is named instead of an object.
    about: str = field(default="")

    @property
    def origin(self) -> str:
        """``VirtualService default/reviews``; "" if it is about no object."""
        return self.item.title if self.item is not None else self.about

    @property
    def reference(self) -> str:
        """File and line; "" for an object of the cluster."""
        return self.item.place(self.line) if self.item is not None else ""

    @property
    def text(self) -> str:
        return fill(self.type.template, self.arguments)

    def render(self) -> str:
        """``Error [IST0101] (VirtualService default/reviews file.yaml:7) Referenced …``."""
        where = " ".join(filter(None, (self.origin, self.reference)))
        place = f" ({where})" if where else ""
        return f"{self.type.level.title} [{self.type.code}]{place} {self.text}"

    def record(self) -> dict[str, Any]:
        """As ``-o json`` shows it."""
        found = {
            "code": self.type.code,
            "documentationUrl": f"{DOCUMENTATION}/{self.type.code.lower()}/?ref=istioctl-analyze",
            "level": self.type.level.title,
            "message": self.text,
        }
        optional = {"origin": self.origin, "reference": self.reference}
        return dict(sorted({**found, **{k: v for k, v in optional.items() if v}}.items()))

    def _key(self) -> tuple[Any, ...]:
        by = self.item.comparator if self.item is not None else self.about
        return self.type.level, self.type.code, self.item is not None, by, self.render()


#: What an analyzer yields.
Messages = Iterator[Message]
_VERB: Final = re.compile(r"%[svqd]")


def fill(template: str, arguments: Sequence[Any]) -> str:
    """Go's Sprintf for the verbs that the templates use; lists print as ``[a b]``."""
    values = iter(arguments)

    def one(found: re.Match[str]) -> str:
        value = next(values)
        if found[0] == "%q":
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        if isinstance(value, list | tuple):
            return f"[{' '.join(str(part) for part in value)}]"
        return str(value)

    return _VERB.sub(one, template)


def ordered(found: Sequence[Message]) -> list[Message]:
    """By level, code and object, each once."""
    keyed = sorted(found, key=Message._key)
    return list({message.render(): message for message in keyed}.values())
