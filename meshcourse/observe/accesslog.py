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


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as one Envoy saw it.

    :param start: when it began, in seconds since the epoch.
    :param duration: milliseconds until the last byte of the answer.
    :param flags: why Envoy itself intervened (``-``: it did not).
    :param cluster: where it went: ``outbound|9080|v1|reviews.default.svc.cluster.local`` or ``inbound|9080||``.
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

    @property
    def inbound(self) -> bool:
        """Did the request come into the pod, or go out of it?"""
        return self.cluster.startswith("inbound|")

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
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
