"""Waiting for a condition with a deadline, showing what is missing and, when nothing moves, why.

A condition is a function that returns what is still missing, in words; an empty list means that it holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshcourse.cluster import kinds, podstate
from meshcourse.cluster.errors import ApiError, WaitError
from meshcourse.cluster.manifests import Object, dig, name_of
from meshcourse.cluster.progress import Progress
from meshcourse.cluster.rest import Rest

Condition = Callable[[], Sequence[str]]


class Seconds(float):
    """How long it took; a number that shows its unit."""

    def __repr__(self) -> str:
        return f"{float(self):.1f} s"


@dataclass(frozen=True, slots=True)
class Pace:
    """How patiently to wait, in seconds.

    :param poll: between two looks.
    :param stall: without any change before the events are shown.
    """

    timeout: float = 120.0
    poll: float = 0.15
    stall: float = 8.0


def until(
    title: str,
    missing: Condition,
    progress: Progress,
    *,
    pace: Pace | None = None,
    explain: Callable[[], Sequence[str]] = tuple,
) -> Seconds:
    """Wait until nothing is missing; returns how long that took.

    :param explain: what may be the reason, asked when nothing has changed for a while.
    :raises WaitError: at the deadline, with what was missing last and the explanation.
    """
    pace = pace or Pace()
    started = changed = time.monotonic()
    last: list[str] = []
    told = False
    with progress.stage(title):
        while left := list(missing()):
            now = time.monotonic()
            if left != last:
                last, changed, told = left, now, False
            if now - changed > pace.stall and not told:
                told = True
                for line in (
                    f"  nothing has changed for {pace.stall:.0f} s: {'; '.join(left)}",
                    *explain(),
                ):
                    progress.say(line)
            if now - started > pace.timeout:
                raise _timeout(title, pace.timeout, left, explain())
            progress.note("; ".join(left))
            time.sleep(pace.poll)
    return Seconds(time.monotonic() - started)


def met(condition: Callable[[], object], seconds: float = 15.0) -> Seconds:
    """Look again and again until a condition is true; returns how long that took.

    :raises WaitError: if it is not in time.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise WaitError(
                f"it was not so within {seconds:g} s",
                remedy="Ask the condition's question by itself: what does it say?",
            )
        time.sleep(Pace().poll)
    return Seconds(time.monotonic() - started)


def workloads(rest: Rest, namespace: str, selector: str = "") -> Condition:
    """Every Deployment is rolled out and every pod ready, and none is on its way out."""

    def missing() -> list[str]:
        query = {"labelSelector": selector}
        deployments = rest.get(kinds.DEPLOYMENT.path(namespace), **query)["items"]
        pods = rest.get(kinds.POD.path(namespace), **query)["items"]
        if not deployments and not pods:
            where = f" with {selector}" if selector else ""
            return [f"no pods in namespace {namespace}{where} yet"]
        late = [podstate.describe(pod) for pod in pods if not podstate.is_ready(pod)]
        return late or [line for item in deployments if (line := rollout(item))]

    return missing


def named(rest: Rest, kind: kinds.Kind, namespace: str, name: str) -> Condition:
    """One object is there and does what its kind is for (rolled out, ready, has an address)."""

    def missing() -> list[str]:
        try:
            obj = rest.get(kind.path(namespace if kind.namespaced else "", name))
        except ApiError as error:
            if error.code != 404:
                raise
            return [f"{kind.printed}/{name} does not exist yet"]
        line = _STATES.get(kind.kind, _condition)(obj)
        return [line] if line else []

    return missing


def gone(
    rest: Rest, kind: kinds.Kind, namespace: str, name: str = "", selector: str = ""
) -> Condition:
    """Nothing of the kind is left (that has the name, or matches the selector)."""

    def missing() -> list[str]:
        query = {"labelSelector": selector}
        if name:
            query["fieldSelector"] = f"metadata.name={name}"
        items = rest.get(kind.path(namespace if kind.namespaced else ""), **query)["items"]
        return [f"{kind.printed}/{name_of(item)} is still there" for item in items]

    return missing


def rollout(deployment: Object) -> str:
    """What a Deployment's roll-out still lacks, "" if nothing."""
    name, status = name_of(deployment), deployment.get("status") or {}
    want = dig(deployment, "spec.replicas", 1)
    if status.get("observedGeneration", 0) < dig(deployment, "metadata.generation", 0):
        return f"{name}: change not seen by the controller yet"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < want or status.get("replicas", 0) > updated:
        return f"{name}: {updated} of {want} pods updated"
    return f"{name}: {available} of {want} pods available" if available < want else ""


def events(rest: Rest, namespace: str, about: Sequence[str], limit: int = 4) -> list[str]:
    """The latest warnings that concern the names in `about` (prefixes of object names)."""
    items = rest.get(kinds.EVENT.path(namespace))["items"]
    warnings = [
        item
        for item in items
        if item.get("type") == "Warning"
        and any(dig(item, "involvedObject.name", "").startswith(name) for name in about)
    ]
    warnings.sort(key=lambda item: item.get("lastTimestamp") or item.get("eventTime") or "")
    return [f"  {_event(item)}" for item in warnings[-limit:]]


def why(rest: Rest, namespace: str, selector: str = "") -> list[str]:
    """Which pods are late and what is known of the reason: their containers, their last words, their events."""
    pods = rest.get(kinds.POD.path(namespace), labelSelector=selector)["items"]
    late = [pod for pod in pods if not podstate.is_ready(pod)]
    owners = [dig(pod, "metadata.generateName", "").rstrip("-") for pod in pods]
    about = [name_of(pod) for pod in late] or [name for name in owners if name] or [""]
    stuck = [line for pod in late[:4] for line in _stuck(rest, namespace, pod)]
    return stuck + events(rest, namespace, about)


def _stuck(rest: Rest, namespace: str, pod: Object) -> list[str]:
    """Containers that wait with a message of their own, and the last words of those that ended."""
    lines = []
    for item in dig(pod, "status.containerStatuses", []):
        waits = dig(item, "state.waiting", {}) or {}
        if waits.get("message"):
            lines.append(f"  pod/{name_of(pod)}: {item['name']}: {waits['message']}")
        if item.get("restartCount"):
            lines += _last_words(rest, namespace, name_of(pod), item["name"])
    return lines


def _last_words(rest: Rest, namespace: str, pod: str, container: str) -> list[str]:
    path = kinds.POD.path(namespace, pod, "log")
    try:
        text = str(rest.get(path, container=container, tailLines=2, previous="true"))
    except ApiError:  # the log is gone, or was never written: the events tell the rest
        return []
    return [f"  pod/{pod}: {container}: {line}" for line in text.splitlines()[-2:] if line]


def _event(item: Object) -> str:
    who = f"{dig(item, 'involvedObject.kind', '')}/{dig(item, 'involvedObject.name', '')}".lower()
    return f"{who}: {item.get('reason', '')}: {item.get('message', '')}"


def _pod(pod: Object) -> str:
    return "" if podstate.is_ready(pod) else podstate.describe(pod)


def _service(service: Object) -> str:
    if dig(service, "spec.type") != "LoadBalancer" or dig(service, "status.loadBalancer.ingress"):
        return ""
    return f"service/{name_of(service)}: no load-balancer address yet"


_TELLING = {"Ready", "Available", "Established", "Programmed", "Complete"}


def _condition(obj: Object) -> str:
    for item in dig(obj, "status.conditions", []):
        if item.get("type") in _TELLING and item.get("status") != "True":
            return (
                f"{name_of(obj)}: {item['type']} is {item.get('status')}: {item.get('message', '')}"
            )
    return ""


_STATES: dict[str, Callable[[Object], str]] = {
    "Deployment": rollout,
    "Pod": _pod,
    "Service": _service,
}


def _timeout(title: str, seconds: float, left: list[str], why: Sequence[str]) -> WaitError:
    detail = "\n".join([f"  {line}" for line in left] + list(why))
    return WaitError(
        f"{title}: not done after {seconds:.0f} s. Still missing:\n{detail}",
        remedy="`%kubectl describe pod NAME` and `%kubectl logs NAME` tell more.",
    )
