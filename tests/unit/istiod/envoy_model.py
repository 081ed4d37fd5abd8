"""A model of the part of Envoy that speaks xDS: warming, subscriptions, acknowledgements."""

from __future__ import annotations

from collections import deque

from meshcourse.embedded.istiod.xds import encode, types
from meshcourse.embedded.istiod.xds.delivery import Delivery, Request, Response
from meshcourse.embedded.istiod.xds.encode import Encoded, Target

Routes = dict[str, list[str]]


def cluster(name: str, flavour: str = "") -> Encoded:
    resource = {"name": name, "type": "EDS", "alt_stat_name": flavour}
    return encode.encoded(types.CDS, name, resource, f"{name}/{flavour}".encode())


def stand_in(name: str) -> Encoded:
    """In place of a cluster that is gone; it has its endpoints from another one."""
    return encode.encoded(types.CDS, name, {"name": name}, f"{name}/stand-in".encode())


def assignment(name: str, hosts: str = "h") -> Encoded:
    return encode.encoded(types.EDS, name, {}, f"{name}:{hosts}".encode())


def route(name: str, clusters: list[str]) -> Encoded:
    resource = {"routes": [{"route": {"cluster": one}} for one in clusters]}
    return encode.encoded(types.RDS, name, resource, repr((name, clusters)).encode())


def listener(name: str) -> Encoded:
    return encode.encoded(types.LDS, name, {}, name.encode())


def target(clusters: dict[str, str], routes: Routes, version: str = "1") -> Target:
    """A target: clusters with their flavour (content) and routes with the clusters they refer to."""
    return Target(
        {
            types.CDS: {name: cluster(name, flavour) for name, flavour in clusters.items()},
            types.EDS: {name: assignment(name) for name in clusters},
            types.LDS: {name: listener(name) for name in routes},
            types.RDS: {name: route(name, refs) for name, refs in routes.items()},
        },
        version,
        stand_in=stand_in,
    )


class EnvoyModel:
    """Applies responses one at a time; requests queue until the test delivers them."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.active: set[str] = set()
        self.warming: set[str] = set()
        self.digests: dict[str, bytes] = {}
        self.routes: dict[str, frozenset[str]] = {}
        self.inbox: deque[Response] = deque()
        self.outbox: deque[Request] = deque()
        self.nonce: dict[str, str] = {}
        self.refuse: set[str] = set()
        self.received: list[Response] = []
        self.hosts: dict[str, bool] = {}  # whether a cluster has endpoints
        self._request(types.CDS)

    def come_back(self, delivery: Delivery) -> None:
        """The stream broke: subscribe anew, with what there is."""
        self.delivery = delivery
        self.inbox.clear()
        self.outbox.clear()
        self.nonce.clear()
        for type_url in (types.CDS, types.EDS, types.LDS, types.RDS):
            self._request(type_url, version="7")

    def _request(self, type_url: str, error: str = "", version: str = "") -> None:
        names: tuple[str, ...] = ()
        if type_url == types.EDS:
            names = tuple(sorted(self.active | self.warming))
        if type_url == types.RDS:
            names = tuple(sorted(self.routes))
        nonce = self.nonce.get(type_url, "")
        self.outbox.append(Request(type_url, names, nonce, version, error))

    def handle(self) -> None:
        """Apply the oldest response and queue the answer."""
        response = self.inbox.popleft()
        self.received.append(response)
        self.nonce[response.type_url] = response.nonce
        bad = [one.name for one in response.resources if one.name in self.refuse]
        if bad:
            self._request(response.type_url, f"Error adding/updating {bad[0]}: no")
            return
        {
            types.CDS: self._clusters,
            types.EDS: self._endpoints,
            types.LDS: self._listeners,
            types.RDS: self._routes,
        }[response.type_url](response)

    def _clusters(self, response: Response) -> None:
        listed = {one.name: one for one in response.resources}
        before = self.active | self.warming
        for name, one in listed.items():
            if self.digests.get(name) != one.digest:
                # An active one of that name goes on serving meanwhile.
                (self.warming if one.endpoints else self.active).add(name)
                self.digests[name] = one.digest
        for name in before - listed.keys():
            self.active.discard(name)
            self.warming.discard(name)
            del self.digests[name]
        if before != self.active | self.warming:
            self._request(types.EDS)
        self._request(types.CDS)
        if types.LDS not in self.nonce and not self.warming:
            self._request(types.LDS)

    def _endpoints(self, response: Response) -> None:
        for one in response.resources:
            self.hosts[one.name] = one.digest != encode.no_endpoints(one.name).digest
            if one.name in self.warming:
                self.warming.discard(one.name)
                self.active.add(one.name)
        self._request(types.EDS)
        if types.LDS not in self.nonce and not self.warming:
            self._request(types.LDS)

    def _listeners(self, response: Response) -> None:
        listed = [one.name for one in response.resources]
        self.routes = {name: self.routes.get(name, frozenset()) for name in listed}
        self._request(types.LDS)
        self._request(types.RDS)

    def _routes(self, response: Response) -> None:
        for one in response.resources:
            if one.name in self.routes:
                self.routes[one.name] = one.clusters
        self._request(types.RDS)

    def lost(self) -> set[str]:
        """Clusters that a route sends requests to and that do not exist or are empty: each request there is lost."""
        used = {name for refs in self.routes.values() for name in refs}
        return {name for name in used if name not in self.active or not self.hosts.get(name, True)}

    def step(self, now: float, choice: int = 0) -> bool:
        """Let one thing happen (which of the possible ones: `choice`); False if nothing was left to do."""
        acts = []
        if self.inbox:
            acts.append(self.handle)
        if self.outbox:
            acts.append(lambda: self.delivery.receive(self.outbox.popleft()) and None)
        if not acts:
            return self.pump(now)
        acts[choice % len(acts)]()
        if choice % 3:
            self.pump(now)
        return True

    def pump(self, now: float) -> bool:
        """Take what the server has to say."""
        responses = self.delivery.take(now)
        self.inbox.extend(responses)
        return bool(responses)

    def settle(self, now: float) -> None:
        """Run until nothing moves."""
        for _ in range(500):
            if not self.step(now):
                return
        raise AssertionError("the conversation does not come to an end")
