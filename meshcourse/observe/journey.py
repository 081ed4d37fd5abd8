"""One request followed through the mesh: every Envoy that saw it says so in its access log.

The request carries a user agent of its own, which gateways keep and Bookinfo passes on; that is how its lines are
found. Envoys write their logs with a small delay, so the logs are read until no new line turns up.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import dataclass
from typing import Any

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ApiError
from meshcourse.errors import MeshcourseError
from meshcourse.observe import accesslog, inventory, send

#: Seconds to wait for the first line, and without a new one before the journey counts as complete.
PATIENCE, QUIET = 8.0, 1.2


@dataclass(frozen=True, slots=True)
class Hop:
    """The request as one Envoy saw it: whose Envoy, and what it logged."""

    app: str
    pod: str
    entry: accesslog.Entry


@dataclass(frozen=True, slots=True)
class Journey:
    """The hops of one request, in the order in which they began."""

    target: str
    status: int
    hops: tuple[Hop, ...]

    @property
    def proxies(self) -> list[str]:
        """The pods whose Envoys saw the request, in order."""
        return list(dict.fromkeys(hop.pod for hop in self.hops))

    @property
    def request_ids(self) -> set[str]:
        """The x-request-id of all hops; one, if every application passes headers on."""
        return {hop.entry.request_id for hop in self.hops}


def follow(cluster: Cluster, target: str = "/productpage", **what: Any) -> Journey:
    """Send one request and collect what every Envoy logged of it.

    :param what: as of `send.plan`: path, host, user.
    :raises MeshcourseError: if it was not answered, or no Envoy logged it.
    """
    agent = f"meshcourse-follow-{uuid.uuid4().hex[:12]}"
    result = send.traffic(cluster, target, n=1, rate=0, headers={"User-Agent": agent}, **what)
    (sample,) = result.samples
    if sample.error:
        raise MeshcourseError(f"{result.url} did not answer: {sample.error}")
    hops = _collect(cluster, agent)
    if not hops:
        raise MeshcourseError(
            "no Envoy has logged the request",
            remedy="Are access logs on? The demo profile turns them on: `%kubectl logs NAME -c istio-proxy`.",
        )
    return Journey(result.url, sample.status, tuple(hops))


def _collect(cluster: Cluster, agent: str) -> list[Hop]:
    found = inventory.take(cluster, cluster.namespace)
    members = [item for item in (*found.gateways, *found.pods) if item.proxy]
    hops: dict[tuple[str, str], Hop] = {}
    started = changed = time.monotonic()
    while time.monotonic() - (changed if hops else started) < (QUIET if hops else PATIENCE):
        before = len(hops)
        for member in members:
            for number, hop in enumerate(_hops(cluster, member, agent)):
                hops[member.name, f"{number}"] = hop
        if len(hops) > before:
            changed = time.monotonic()
        time.sleep(0.1)
    return sorted(hops.values(), key=_order)


def _order(hop: Hop) -> tuple[float, int, bool]:
    """Who began earlier, then who waited longer, then who sent: of two that began together the caller comes first."""
    return hop.entry.start, -hop.entry.duration, hop.entry.inbound


def _hops(cluster: Cluster, member: inventory.Member, agent: str) -> list[Hop]:
    path = f"/api/v1/namespaces/{member.namespace}/pods/{member.name}/log"
    text = ""
    with contextlib.suppress(ApiError):  # the pod may have gone meanwhile
        text = cluster.api.get(path, accept="*/*", container=inventory.PROXY, tailLines=200)
    entries = [accesslog.parse(line) for line in str(text).splitlines() if agent in line]
    return [Hop(member.app, member.name, entry) for entry in entries if entry]
