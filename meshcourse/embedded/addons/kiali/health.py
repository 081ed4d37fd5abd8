"""Health of requests and replicas. Pure.

Source: Kiali's default health configuration: of HTTP, 5xx fail at 10 %, 4xx degrade at 10 % and fail at 20 %; of gRPC,
statuses 1 to 16 fail at 10 %; no answer fails at 10 %. Anything above nothing and below failure degrades, except for
4xx. The worst wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

Json = dict[str, Any]
#: Requests per second by protocol and response code.
Requests = dict[str, dict[str, float]]

_ORDER: Final = ("NA", "Healthy", "Not Ready", "Degraded", "Failure")


class Tolerance(NamedTuple):
    """From which percentage on responses with such codes are bad."""

    protocol: re.Pattern[str]
    code: re.Pattern[str]
    degraded: float
    failure: float


_TOLERANCES: Final = (
    Tolerance(re.compile("http"), re.compile(r"5\d\d"), 0, 10),
    Tolerance(re.compile("http"), re.compile(r"4\d\d"), 10, 20),
    Tolerance(re.compile("grpc"), re.compile(r"[1-9]|1[0-6]"), 0, 10),
    Tolerance(re.compile("http|grpc"), re.compile("-"), 0, 10),
)


def worst(states: Iterable[str]) -> str:
    """The worst of some states; ``NA`` of none."""
    return max(states, key=_ORDER.index, default="NA")


def of_codes(protocol: str, codes: Mapping[str, float]) -> tuple[str, float]:
    """The state of some traffic and the error percentage behind it (−1 without traffic)."""
    total = sum(codes.values())
    if total <= 0:
        return "NA", -1.0
    found = ("Healthy", 0.0)
    for tolerance in _TOLERANCES:
        if not tolerance.protocol.fullmatch(protocol):
            continue
        bad = sum(rate for code, rate in codes.items() if tolerance.code.fullmatch(code))
        found = max(found, _judge(tolerance, bad / total * 100), key=_badness)
    return found


def _badness(found: tuple[str, float]) -> int:
    return _ORDER.index(found[0])


def _judge(tolerance: Tolerance, percent: float) -> tuple[str, float]:
    if percent <= 0 or percent < tolerance.degraded:
        return "Healthy", percent
    return ("Failure" if percent >= tolerance.failure else "Degraded"), percent


def of_requests(inbound: Requests, outbound: Requests) -> tuple[str, float]:
    """The worst state of all protocols in both directions, with its error percentage."""
    judged = [
        of_codes(protocol, codes)
        for requests in (inbound, outbound)
        for protocol, codes in requests.items()
    ]
    return max(judged, key=_badness, default=("NA", -1.0))


def of_replicas(status: Mapping[str, Any] | None) -> str:
    """The state of a workload from its replicas (Kiali's WorkloadStatus)."""
    if status is None:
        return "NA"
    desired, current = int(status["desiredReplicas"]), int(status["currentReplicas"])
    available, synced = int(status["availableReplicas"]), int(status["syncedProxies"])
    if desired == 0:
        return "Not Ready"
    if available == 0:
        return "Failure"
    if current > 0 and (current < desired or available < desired):
        return "Degraded"
    if desired == available != current:
        return "Failure"
    if 0 <= synced < desired:
        return "Degraded"
    return "Healthy" if desired == current == available else "Degraded"


def service(inbound: Requests, outbound: Requests) -> Json:
    """Kiali's ServiceHealth."""
    return _health(inbound, outbound, ())


def workload(inbound: Requests, outbound: Requests, status: Mapping[str, Any] | None) -> Json:
    """Kiali's WorkloadHealth."""
    states = [] if status is None else [status]
    return {**_health(inbound, outbound, states), "workloadStatus": status}


def app(inbound: Requests, outbound: Requests, statuses: list[dict[str, Any]]) -> Json:
    """Kiali's AppHealth."""
    return {**_health(inbound, outbound, statuses), "workloadStatuses": statuses}


def _health(inbound: Requests, outbound: Requests, statuses: Iterable[Mapping[str, Any]]) -> Json:
    state, percent = of_requests(inbound, outbound)
    total = sum(sum(codes.values()) for one in (inbound, outbound) for codes in one.values())
    return {
        "requests": {"inbound": inbound, "outbound": outbound, "healthAnnotations": {}},
        "status": {
            "status": worst([state, *map(of_replicas, statuses)]),
            "errorRatio": percent,
            "totalRequestRate": total,
        },
    }


def buckets(found: Mapping[str, Json]) -> dict[str, list[str]]:
    """Names by state, as Kiali's overview groups them."""
    names = {
        "Failure": "inError",
        "Not Ready": "inNotReady",
        "Healthy": "inSuccess",
        "Degraded": "inWarning",
        "NA": "notAvailable",
    }
    sorted_in: dict[str, list[str]] = {name: [] for name in names.values()}
    for name, one in sorted(found.items()):
        sorted_in[names[one["status"]["status"]]].append(name)
    return sorted_in
