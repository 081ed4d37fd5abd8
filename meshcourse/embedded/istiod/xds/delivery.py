"""In which order one proxy learns of a change, so that no request is lost. Pure: time comes in as a number.

Make before break (Envoy, "Eventual consistency considerations"): clusters, their endpoints, then listeners and routes.
A route waits until the proxy has *acknowledged* every cluster and assignment it newly refers to; a cluster that is gone
stays until no acknowledged route or listener refers to it, and a little longer for requests that are under way. (Where
the configuration itself refers to what it no longer has, there is nothing to wait for but that little longer.)

A proxy that comes back (istiod was restarted) brings routes that we know nothing of, and clusters that may be gone by
now: the names of the assignments it asks for tell which, and they too stay until its routes are replaced.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from meshcourse.embedded.istiod.xds import encode, types
from meshcourse.embedded.istiod.xds.channel import Channel, Held, same
from meshcourse.embedded.istiod.xds.encode import Encoded, Target

_REFERRING = (types.LDS, types.RDS)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds.

    :param grace: how long a cluster outlives the last route to it.
    :param patience: how long a route waits for its clusters before it is sent anyway.
    """

    grace: float = 0.5
    patience: float = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of a DiscoveryRequest that matter. `error` is ``error_detail.message``, "" for an ACK."""

    type_url: str
    names: Sequence[str] = ()
    nonce: str = ""
    version: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """What is to be sent; `resources` in the order of their names' first appearance."""

    type_url: str
    version: str
    nonce: str
    resources: tuple[Encoded, ...]


class Delivery:
    """The state machine of one connection: feed it requests and targets, send what `take` returns."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        self.channels = {type_url: Channel(type_url) for type_url in types.ORDER}
        self.target: Target | None = None
        self._nonces = itertools.count(1)
        self._unused_since: dict[str, float] = {}
        self._blocked_since: dict[str, float] = {}
        self._empty: Held = {}
        self._came_back = False
        self._unsure_since: float | None = None
        self._brought: frozenset[str] = frozenset()

    # -- what happens --------------------------------------------------------------------------

    def retarget(self, target: Target) -> None:
        """The proxy is to have something else from now on."""
        self.target = target
        self._blocked_since.clear()

    def receive(self, request: Request) -> bool:
        """A request arrived. True if it was a NACK."""
        channel = self.channels.get(request.type_url)
        if channel is None:
            return False
        if not channel.subscribed and request.version:
            self._remember(request)
        answered = channel.outstanding is not None and request.nonce == channel.nonce
        channel.subscribe(request.names)
        if not answered:
            return False
        if request.error:
            channel.nack(request.error)
        elif channel.type_url == types.CDS:
            self._clusters_accepted(channel)
        else:
            channel.ack()
        if self._brought and self._replaced():
            self._brought = frozenset()
        return bool(request.error)

    def _remember(self, request: Request) -> None:
        """What a proxy has from an earlier stream (it tells a version from the first request on)."""
        if request.type_url == types.CDS:
            self._came_back = True
        elif request.type_url == types.EDS:
            self._brought = frozenset(request.names)

    def _replaced(self) -> bool:
        """Whether the listeners and routes that the proxy brought along are ours now."""
        listeners, routes = self.channels[types.LDS], self.channels[types.RDS]
        expected = bool(self.target and self.target.of(types.RDS))
        asked = listeners.subscribed and (routes.subscribed or not expected)
        return asked and self.synced(types.LDS) and self.synced(types.RDS)

    def _clusters_accepted(self, channel: Channel) -> None:
        before = {cluster.endpoints for cluster in channel.acked.values()}
        accepted = channel.ack()
        endpoints = self.channels[types.EDS]
        # A cluster that comes back must be waited for again. (Slots of the bootstrap are never among them.)
        for name in before - {cluster.endpoints for cluster in accepted.values()}:
            endpoints.acked.pop(name, None)

    # -- what follows --------------------------------------------------------------------------

    def take(self, now: float) -> list[Response]:
        """Responses that may go out now, to be sent in this order."""
        found: list[Response] = []
        if self.target is None:
            return found
        for type_url in types.ORDER:
            channel = self.channels[type_url]
            if not channel.subscribed or channel.outstanding is not None:
                continue
            if type_url == types.CDS and self._unsure(now):
                continue
            chosen = self._choose(channel, self._want(self.target, type_url, now), now)
            if chosen is not None:
                found.append(self._send(channel, chosen, self.target.version))
        return found

    def deadline(self) -> float | None:
        """When to call `take` again even if nothing arrives."""
        times = []
        if self._unsure_since is not None:
            times.append(self._unsure_since + self.timing.grace)
        if self.channels[types.CDS].outstanding is None:
            times += [since + self.timing.grace for since in self._unused_since.values()]
        for type_url, since in self._blocked_since.items():
            if self.channels[type_url].outstanding is None:
                times.append(since + self.timing.patience)
        return min(times, default=None)

    def _unsure(self, now: float) -> bool:
        """Whether a proxy that came back has not said yet which clusters it has (its next message does)."""
        if not self._came_back or self.channels[types.EDS].subscribed:
            self._unsure_since = None
            return False
        if self._unsure_since is None:
            self._unsure_since = now
        if now - self._unsure_since < self.timing.grace:
            return True
        self._came_back, self._unsure_since = False, None
        return False

    def _choose(self, channel: Channel, want: Mapping[str, Encoded], now: float) -> Held | None:
        """What the next response of a type consists of; None if there is nothing to say."""
        names = wanted = channel.changed(want)
        if channel.type_url in _REFERRING:
            names = self._permitted(channel.type_url, names, want, now)
        first = channel.whole and not channel.nonce
        if first and len(names) < len(wanted):
            return (
                None  # a proxy that comes back after our restart would drop the listeners left out
            )
        if not names and not first:
            return None
        if channel.whole:
            return self._state(channel, want, names)
        return {name: want[name] for name in _singly(channel, names)}

    def _send(self, channel: Channel, chosen: Held, version: str) -> Response:
        if channel.type_url == types.CDS:
            self._expect_warming(channel, chosen)
        nonce = f"{types.short(channel.type_url)}-{next(self._nonces)}"
        channel.send(chosen, nonce, version)
        return Response(channel.type_url, version, nonce, tuple(chosen.values()))

    def _expect_warming(self, channel: Channel, chosen: Held) -> None:
        """A changed cluster warms until an assignment follows, be it unchanged; responses arrive in order."""
        endpoints = self.channels[types.EDS]
        known = endpoints.names or frozenset()
        for name, cluster in chosen.items():
            if cluster.endpoints in known and not same(channel.sent.get(name), cluster):
                endpoints.again.add(cluster.endpoints)

    def _state(self, channel: Channel, want: Mapping[str, Encoded], names: Iterable[str]) -> Held:
        """The next whole state: `names` as wanted, everything else as it was."""
        state = dict(channel.sent)
        for name in names:
            if name in want:
                state[name] = want[name]
            else:
                state.pop(name, None)
        return state

    def _want(self, target: Target, type_url: str, now: float) -> Mapping[str, Encoded]:
        wanted = target.of(type_url)
        if type_url == types.CDS:
            return self._with_lingering(wanted, now)
        if type_url == types.EDS:
            return self._with_missing(wanted)
        return wanted

    def _with_lingering(self, target: Mapping[str, Encoded], now: float) -> Mapping[str, Encoded]:
        """The target's clusters and those that must stay a little longer."""
        sent = self.channels[types.CDS].sent
        gone = {name: cluster for name, cluster in sent.items() if name not in target}
        if not self.channels[types.CDS].nonce:
            gone = self._stand_ins(target)
        if not gone:
            self._unused_since.clear()
            return target
        used = self._used_clusters() - self._dangling() | self._brought
        idle = self._unused_since
        self._unused_since = {name: idle.get(name, now) for name in gone if name not in used}
        expired = {
            name for name, since in self._unused_since.items() if now - since >= self.timing.grace
        }
        return {**target, **{name: one for name, one in gone.items() if name not in expired}}

    def _stand_ins(self, target: Mapping[str, Encoded]) -> Held:
        """Clusters for what the proxy brought along and is no longer meant to have."""
        if self.target is None:
            return {}
        known = {one.endpoints for one in target.values()} | self.target.of(types.EDS).keys()
        found = {name: self.target.stand_in(name) for name in self._brought - known}
        return {name: one for name, one in found.items() if one is not None}

    def _dangling(self) -> set[str]:
        """What routes are to go on referring to, though it is gone: no reason to keep it. Envoy says NC then."""
        referring: set[str] = set()
        if self.target is not None:
            for type_url in _REFERRING:
                for resource in self.target.of(type_url).values():
                    referring |= resource.clusters
        return referring

    def _used_clusters(self) -> set[str]:
        used: set[str] = set()
        for type_url in (*_REFERRING, types.ECDS):
            for resource in self.channels[type_url].possible():
                used |= resource.clusters
        return used

    def _with_missing(self, target: Mapping[str, Encoded]) -> Mapping[str, Encoded]:
        """The target's assignments, what lingering clusters had, and an empty one for whatever else is asked for.

        Clusters that the proxy brought along keep the endpoints they have, until others stand in for them.
        """
        channel = self.channels[types.EDS]
        asked = (channel.names or frozenset()) - self._brought
        missing = [name for name in asked if name not in target]
        if not missing:
            return target
        return {**target, **{name: self._last_assignment(name) for name in missing}}

    def _last_assignment(self, name: str) -> Encoded:
        known = self.channels[types.EDS].sent.get(name) or self._empty.get(name)
        if known is None:
            known = self._empty[name] = encode.no_endpoints(name)
        return known

    # -- waiting -------------------------------------------------------------------------------

    def _permitted(
        self, type_url: str, names: list[str], want: Mapping[str, Encoded], now: float
    ) -> list[str]:
        """Those of `names` whose clusters the proxy has; the others wait, but not for ever."""
        ready = [name for name in names if name not in want or not self._lacking(want[name])]
        if len(ready) < len(names):
            since = self._blocked_since.setdefault(type_url, now)
            if now - since < self.timing.patience:
                return ready
        self._blocked_since.pop(type_url, None)
        return names

    def _lacking(self, resource: Encoded) -> list[str]:
        """Clusters that `resource` refers to, that the proxy is to have, and has not acknowledged yet."""
        clusters = self.channels[types.CDS]
        if self.target is None or not clusters.subscribed or clusters.error:
            return []  # a proxy that refuses clusters must not be kept from routes to others
        target = self.target.of(types.CDS)
        wanted = (target[name] for name in resource.clusters if name in target)
        return [cluster.name for cluster in wanted if not self._has(cluster)]

    def _has(self, cluster: Encoded) -> bool:
        clusters = self.channels[types.CDS]
        if cluster.name not in clusters.acked or cluster.name not in clusters.sent:
            return False  # not there yet, or about to go
        return not cluster.endpoints or cluster.endpoints in self.channels[types.EDS].acked

    # -- reporting -----------------------------------------------------------------------------

    def synced(self, type_url: str) -> bool:
        """Whether the proxy has acknowledged what it is to have of a type (or never asked for it)."""
        channel = self.channels[type_url]
        if not channel.subscribed:
            return True
        if self.target is None:
            return False
        target = self.target.of(type_url)
        asked = (name for name in target if channel.asks_for(name))
        return channel.outstanding is None and all(
            same(channel.acked.get(name), target[name]) for name in asked
        )

    def all_synced(self) -> bool:
        return all(self.synced(type_url) for type_url in types.ORDER)


def _singly(channel: Channel, names: list[str]) -> list[str]:
    """All of `names`, or one of those that are to be sent alone."""
    apart = [name for name in names if name not in channel.alone]
    return apart or names[:1]
