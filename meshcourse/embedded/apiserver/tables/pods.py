"""The row of a pod, above all its STATUS. Source: the API server's printer (pods), behaviour re-stated."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from meshcourse.embedded.apiserver.tables import columns, durations
from meshcourse.embedded.apiserver.tables.columns import NONE, Row
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


@dataclass(slots=True)
class _Count:
    """Restarts and the latest termination that led to one."""

    restarts: int = 0
    latest: dt.datetime | None = None

    def add(self, status: Object) -> None:
        self.restarts += status.get("restartCount", 0)
        ended = durations.parse(objects.dig(status, "lastState.terminated.finishedAt"))
        if ended is not None and (self.latest is None or self.latest < ended):
            self.latest = ended

    def render(self) -> str:
        if not self.restarts or self.latest is None:
            return str(self.restarts)
        ago = (dt.datetime.now(dt.UTC) - self.latest).total_seconds()
        return f"{self.restarts} ({durations.human(ago)} ago)"


@dataclass(frozen=True, slots=True)
class Summary:
    """What ``kubectl get pod`` says of a pod."""

    ready: int
    total: int
    reason: str
    restarts: str


def summary(pod: Object) -> Summary:
    """READY, STATUS and RESTARTS of a pod."""
    status = pod.get("status") or {}
    sidecars = _sidecars(pod)
    init = _Init(pod, sidecars)
    ready, count, reason = init.ready, init.count, init.reason or _phase_reason(status)
    if not init.reason or _condition(status, "Initialized"):
        count = init.sidecar_count
        more, reason = _main_containers(status, count, reason)
        ready += more
    total = len(objects.dig(pod, "spec.containers", ())) + len(sidecars)
    return Summary(ready, total, _deletion(pod, status, reason), count.render())


def _phase_reason(status: Object) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


def _sidecars(pod: Object) -> frozenset[str]:
    """Names of the init containers that keep running (``restartPolicy: Always``)."""
    return frozenset(
        each["name"]
        for each in objects.dig(pod, "spec.initContainers", ())
        if each.get("restartPolicy") == "Always"
    )


class _Init:
    """The init containers: how far they are. `reason` is "" once all are done (or running, for sidecars)."""

    def __init__(self, pod: Object, sidecars: frozenset[str]) -> None:
        self.ready = 0
        self.reason = ""
        self.count = _Count()
        self.sidecar_count = _Count()
        total = len(objects.dig(pod, "spec.initContainers", ()))
        for index, status in enumerate(objects.dig(pod, "status.initContainerStatuses", ())):
            sidecar = status.get("name") in sidecars
            self.count.add(status)
            if sidecar:
                self.sidecar_count.add(status)
            if not self._passed(status, sidecar):
                self.reason = _init_reason(status, index, total)
                return

    def _passed(self, status: Object, sidecar: bool) -> bool:
        terminated = objects.dig(status, "state.terminated")
        if terminated is not None and terminated.get("exitCode", 0) == 0:
            return True
        if sidecar and status.get("started"):
            self.ready += 1 if status.get("ready") else 0
            return True
        return False


def _init_reason(status: Object, index: int, total: int) -> str:
    terminated = objects.dig(status, "state.terminated")
    if terminated is not None:
        return f"Init:{_terminated(terminated)}"
    waiting = objects.dig(status, "state.waiting.reason", "")
    if waiting and waiting != "PodInitializing":
        return f"Init:{waiting}"
    return f"Init:{index}/{total}"


def _terminated(state: Object) -> str:
    if state.get("reason"):
        return str(state["reason"])
    if state.get("signal"):
        return f"Signal:{state['signal']}"
    return f"ExitCode:{state.get('exitCode', 0)}"


def _main_containers(status: Object, count: _Count, reason: str) -> tuple[int, str]:
    """Ready containers and the reason; the first container that is not running has the last word."""
    ready, running = 0, False
    for container in reversed(status.get("containerStatuses") or ()):
        count.add(container)
        state = container.get("state") or {}
        if objects.dig(state, "waiting.reason"):
            reason = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            reason = _terminated(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            running = True
            ready += 1
    if reason == "Completed" and running:
        reason = "Running" if _condition(status, "Ready") else "NotReady"
    return ready, reason


def _deletion(pod: Object, status: Object, reason: str) -> str:
    if not objects.deleting(pod):
        return reason
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _condition(status: Object, kind: str) -> bool:
    return any(
        each.get("type") == kind and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )


def _gates(pod: Object) -> str:
    gates = objects.dig(pod, "spec.readinessGates", ())
    if not gates:
        return NONE
    status = pod.get("status") or {}
    passed = sum(_condition(status, gate.get("conditionType", "")) for gate in gates)
    return f"{passed}/{len(gates)}"


def row(pod: Object) -> Row:
    said = summary(pod)
    addresses = objects.dig(pod, "status.podIPs", ())
    return [
        columns.name(pod),
        f"{said.ready}/{said.total}",
        said.reason,
        said.restarts,
        columns.age(pod),
        (addresses[0].get("ip") if addresses else objects.dig(pod, "status.podIP")) or NONE,
        objects.dig(pod, "spec.nodeName") or NONE,
        objects.dig(pod, "status.nominatedNodeName") or NONE,
        _gates(pod),
    ]


PRINTER = columns.printer(
    row,
    "Name",
    "Ready",
    "Status",
    "Restarts",
    "Age",
    "*IP",
    "*Node",
    "*Nominated Node",
    "*Readiness Gates",
)


def template_row(obj: Object) -> Row:
    template = obj.get("template") or {}
    labels = columns.pairs((template.get("metadata") or {}).get("labels"))
    return [columns.name(obj), *columns.containers(template.get("spec")), labels]


TEMPLATE_PRINTER = columns.printer(template_row, "Name", "Containers", "Images", "Pod Labels")
