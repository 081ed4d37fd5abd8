"""Envoy's access log in Istio's default text format, line by line. Pure.

Source: Istio documentation, "Envoy Access Logs", default format string.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

_LINE = re.compile(
    r"""\[(?P<start>[^\]]+)\]\s
    "(?P<method>\S+)\s(?P<path>\S+)\s(?P<protocol>[^"]*)"\s
    (?P<code>\d+|-)\s(?P<flags>\S+)\s(?P<details>\S+)\s(?P<termination>\S+)\s
    "(?P<failure>[^"]*)"\s(?P<received>\d+|-)\s(?P<sent>\d+|-)\s(?P<duration>\d+|-)\s(?P<service_time>\d+|-)\s
    "(?P<forwarded>[^"]*)"\s"(?P<agent>[^"]*)"\s"(?P<request_id>[^"]*)"\s"(?P<authority>[^"]*)"\s
    "(?P<upstream_host>[^"]*)"\s(?P<cluster>\S+)""",
    re.X,
)

#: Response flags a learner meets, and what they say. Source: Envoy documentation, "Access logging", %RESPONSE_FLAGS%.
FLAGS = {
    "-": "Envoy passed on what the upstream said",
    "DC": "the client went away before the answer was complete",
    "DI": "a fault rule delayed the request",
    "FI": "a fault rule answered instead of the upstream",
    "NC": "the route names a cluster (a host or subset) that does not exist",
    "NR": "no route matched",
    "RL": "a rate limit refused the request",
    "UAEX": "an authorization service refused the request",
    "UC": "the upstream closed the connection",
    "UF": "no connection to the upstream",
    "UH": "the upstream has no healthy endpoint",
    "UO": "a circuit breaker is open: too many connections or requests",
    "URX": "the last of the allowed retries failed too",
    "UT": "the upstream did not answer in time",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as one Envoy saw it.

    :param start: when it began, in seconds since the epoch.
    :param duration: milliseconds until the last byte of the answer.
    :param flags: why Envoy itself intervened (``-``: it did not).
    :param cluster: where it went: ``outbound|9080|v1|reviews.default.svc.cluster.local`` or ``inbound|9080||``.
    :param details: how the answer came about (``via_upstream``: the application gave it).
    :param sent: bytes of the answer's body. :param service_time: milliseconds until the upstream began to answer.
    """

    start: float
    method: str
    path: str
    code: int
    flags: str
    duration: int
    agent: str
    request_id: str
    authority: str
    upstream_host: str
    cluster: str
    details: str = ""
    protocol: str = ""
    received: int = 0
    sent: int = 0
    service_time: int = 0
    failure: str = ""

    @property
    def inbound(self) -> bool:
        """Did the request come into the pod, or go out of it?"""
        return self.cluster.startswith("inbound|")

    @property
    def meaning(self) -> str:
        """The response flags in words."""
        return "; ".join(FLAGS.get(flag, flag) for flag in self.flags.split(","))

    @property
    def towards(self) -> str:
        """The service it went to, short: ``reviews``, with its subset if a rule chose one."""
        parts = self.cluster.split("|")
        if len(parts) < 4 or self.inbound:
            return ""
        service = parts[3].split(".")[0]
        return f"{service} ({parts[2]})" if parts[2] else service


def parse(line: str) -> Entry | None:
    """The entry that a line stands for; None for any other line of a proxy's log."""
    found = _LINE.search(line)
    if found is None:
        return None
    return Entry(
        start=dt.datetime.fromisoformat(found["start"].replace("Z", "+00:00")).timestamp(),
        method=found["method"],
        path=found["path"],
        code=_number(found["code"]),
        flags=found["flags"],
        duration=_number(found["duration"]),
        agent=found["agent"],
        request_id=found["request_id"],
        authority=found["authority"],
        upstream_host=found["upstream_host"],
        cluster=found["cluster"],
        details=found["details"],
        protocol=found["protocol"],
        received=_number(found["received"]),
        sent=_number(found["sent"]),
        service_time=_number(found["service_time"]),
        failure=found["failure"].strip("-"),
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
