"""What one proxy has been told, and has accepted, of one resource type.

Source: the xDS protocol's state-of-the-world variant (ACK, NACK, nonces, resource names). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meshcourse.embedded.istiod.xds import types
from meshcourse.embedded.istiod.xds.encode import Encoded

Held = dict[str, Encoded]


@dataclass(slots=True)
class Channel:
    """State of one type on one connection. One response at a time is on its way; newer states coalesce behind it.

    :param names: what the proxy asked for; None means everything (``*``), which CDS and LDS always do.
    :param sent: what was last sent, by name (for whole-state types, the last state).
    :param acked: what the proxy last accepted, by name.
    :param again: names to be sent although the proxy has them.
    :param alone: names to be sent one by one, because a response with several was refused.
    :param error: the last refusal in Envoy's words, "" after an ACK.
    :param sent_at: Unix time of the last response, set by the connection.
    """

    type_url: str
    names: frozenset[str] | None = None
    subscribed: bool = False
    nonce: str = ""
    version: str = ""
    acked_version: str = ""
    acked_nonce: str = ""
    sent: Held = field(default_factory=dict)
    acked: Held = field(default_factory=dict)
    outstanding: Held | None = None
    again: set[str] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)
    error: str = ""
    rejections: int = 0
    sent_at: float = 0.0

    @property
    def whole(self) -> bool:
        return self.type_url in types.WHOLE_STATE

    def subscribe(self, names: Iterable[str]) -> None:
        """Take over the names of a request; what is no longer wanted is forgotten, so that it can be asked for anew."""
        wanted = frozenset(names)
        self.subscribed = True
        if self.whole or "*" in wanted:
            return
        self.names = wanted
        for held in (self.sent, self.acked):
            for name in [name for name in held if name not in wanted]:
                del held[name]
        self.again &= wanted

    def asks_for(self, name: str) -> bool:
        return self.subscribed and (self.names is None or name in self.names)

    def changed(self, want: Mapping[str, Encoded]) -> list[str]:
        """Names whose content differs from what was last sent (for whole-state types also those to be removed)."""
        found = [
            name
            for name, resource in want.items()
            if self.asks_for(name)
            and (name in self.again or not same(self.sent.get(name), resource))
        ]
        if self.whole:
            found += [name for name in self.sent if name not in want]
        return found

    def send(self, resources: Held, nonce: str, version: str) -> None:
        """Note that a response with these resources is on its way."""
        self.outstanding, self.nonce, self.version = resources, nonce, version
        if self.whole:
            self.sent = dict(resources)
        else:
            self.sent.update(resources)
        self.again -= resources.keys()
        self.alone -= resources.keys()

    def ack(self) -> Held:
        """The proxy accepted; returns what it accepted."""
        accepted = self.outstanding or {}
        self.outstanding, self.error = None, ""
        self.acked_version, self.acked_nonce = self.version, self.nonce
        if self.whole:
            self.acked = dict(accepted)
        else:
            self.acked.update({k: v for k, v in accepted.items() if self.asks_for(k)})
        return accepted

    def nack(self, message: str) -> None:
        """The proxy refused. Envoy applies the resources of a response that are not mentioned in the error."""
        refused = self.outstanding or {}
        self.outstanding, self.error = None, message
        self.rejections += 1
        accepted = {name: one for name, one in refused.items() if name not in message}
        if self.whole:
            kept = {name: self.acked[name] for name in refused if name in self.acked}
            self.acked = {**kept, **accepted}
        elif len(refused) > 1:
            # Which one was bad is not known: send them singly, so that one does not hold up the others.
            self.alone |= refused.keys()
            self.again |= refused.keys()

    def possible(self) -> Iterable[Encoded]:
        """Every resource the proxy may be using right now."""
        yield from self.acked.values()
        yield from self.sent.values()


def same(one: Encoded | None, other: Encoded | None) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or one.digest == other.digest
