"""The status of a Pod computed from its containers: phase, conditions, container statuses. Pure.

Source: kubelet's getPhase and status/generate.go (phases, condition reasons and messages).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.pods.state import ContainerState

#: The conditions a kubelet owns, in the order kubectl describe shows them.
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass(slots=True)
class PodFacts:
    """Everything the status depends on.

    :param old_conditions: the conditions in the API, for transition times and for those of others (readiness gates).
    :param sandbox: volumes and addresses are there, containers may start.
    :param failed: reason and message of a pod that the kubelet itself failed (deadline, eviction), or None.
    """

    spec: Object
    init: Sequence[ContainerState]
    main: Sequence[ContainerState]
    old_conditions: Sequence[Object] = ()
    sandbox: bool = False
    deleting: bool = False
    failed: tuple[str, str] | None = None
    extra: Object = field(default_factory=dict)


def phase(facts: PodFacts) -> str:
    """Pending, Running, Succeeded or Failed."""
    if facts.failed is not None:
        return "Failed"
    policy = facts.spec.get("restartPolicy") or "Always"
    if policy == "Never" and any(_init_failed(state) for state in facts.init):
        return "Failed"
    counts = {"running": 0, "waiting": 0, "stopped": 0, "succeeded": 0}
    for state in facts.main:
        for kind in _classify(state):
            counts[kind] += 1
    initialized = all(_init_done(state) for state in facts.init)
    if not initialized and not counts["running"] and not counts["stopped"]:
        return "Pending"
    if counts["waiting"]:
        return "Pending"
    if counts["running"]:
        return "Running"
    if counts["stopped"]:
        return _ended(policy, counts["stopped"] == counts["succeeded"])
    return "Pending"


def _ended(policy: str, all_succeeded: bool) -> str:
    if policy == "Always":
        return "Running"
    if all_succeeded:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _classify(state: ContainerState) -> list[str]:
    if "running" in state.state:
        return ["running"]
    if "terminated" in state.state:
        return ["stopped", "succeeded"] if state.exit_code == 0 else ["stopped"]
    return ["stopped"] if "terminated" in state.last_state else ["waiting"]


def _init_failed(state: ContainerState) -> bool:
    return state.role == "init" and state.exit_code not in (None, 0)


def _init_done(state: ContainerState) -> bool:
    """Whether the containers after this one may start."""
    if state.role == "sidecar":
        return state.started
    return state.exit_code == 0


def render(facts: PodFacts, now: str) -> Object:
    """The fields of ``status`` that a kubelet writes."""
    found = phase(facts)
    status: Object = {"phase": found, **facts.extra}
    status["conditions"] = _conditions(facts, found, now)
    if facts.failed is not None:
        status["reason"], status["message"] = facts.failed
    if facts.init:
        status["initContainerStatuses"] = [state.render() for state in facts.init]
    status["containerStatuses"] = [state.render() for state in facts.main]
    return status


def _conditions(facts: PodFacts, found: str, now: str) -> list[Object]:
    old = {condition["type"]: condition for condition in facts.old_conditions}
    containers = _containers_ready(facts, found)
    ready = _ready(facts, containers, old)
    computed = {
        "PodReadyToStartContainers": _condition(
            facts.sandbox and found not in ("Succeeded", "Failed")
        ),
        "Initialized": _initialized(facts, found),
        "Ready": ready,
        "ContainersReady": containers,
        "PodScheduled": _condition(True),
    }
    mine = [_stamped(type_, computed[type_], old.get(type_), now) for type_ in OWNED]
    return mine + [c for c in facts.old_conditions if c["type"] not in OWNED]


def _condition(true: bool, reason: str = "", message: str = "") -> Object:
    found: Object = {"status": "True" if true else "False"}
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found


def _stamped(type_: str, condition: Object, old: Object | None, now: str) -> Object:
    """Keep the transition time while the status is the same."""
    same = old is not None and old.get("status") == condition["status"]
    since = (old or {}).get("lastTransitionTime") if same else None
    return {"type": type_, "lastProbeTime": None, "lastTransitionTime": since or now, **condition}


def _initialized(facts: PodFacts, found: str) -> Object:
    if found == "Succeeded":
        return _condition(True, "PodCompleted")
    incomplete = [state.name for state in facts.init if not _init_done(state)]
    if not incomplete or any(state.running for state in facts.main):
        return _condition(True)
    return _condition(
        False,
        "ContainersNotInitialized",
        f"containers with incomplete status: [{' '.join(incomplete)}]",
    )


def _containers_ready(facts: PodFacts, found: str) -> Object:
    if found == "Succeeded":
        return _condition(False, "PodCompleted")
    if found == "Failed":
        return _condition(False, "PodFailed")
    sidecars = [state for state in facts.init if state.role == "sidecar"]
    unready = [state.name for state in [*sidecars, *facts.main] if not state.ready]
    if not unready:
        return _condition(True)
    message = f"containers with unready status: [{' '.join(unready)}]"
    return _condition(False, "ContainersNotReady", message)


def _ready(facts: PodFacts, containers: Object, old: dict[str, Object]) -> Object:
    if containers["status"] != "True":
        return containers
    gates = [gate["conditionType"] for gate in facts.spec.get("readinessGates") or []]
    missing = [gate for gate in gates if old.get(gate, {}).get("status") != "True"]
    if not missing:
        return _condition(True)
    texts = [
        f'the status of pod readiness gate "{gate}" is not "True", but {old.get(gate, {}).get("status", "False")}'
        if gate in old
        else f'corresponding condition of pod readiness gate "{gate}" does not exist.'
        for gate in missing
    ]
    return _condition(False, "ReadinessGatesNotReady", ", ".join(texts))
