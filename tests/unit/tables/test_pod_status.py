"""READY, STATUS and RESTARTS of pods in every state."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from meshcourse.embedded.apiserver.tables import pods
from meshcourse.embedded.kube.objects import Object

RUNNING: Object = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
READY = {"type": "Ready", "status": "True"}
INITIALIZED = {"type": "Initialized", "status": "True"}


def waiting(reason: str) -> Object:
    return {"waiting": {"reason": reason}}


def ended(code: int, reason: str = "", signal: int = 0) -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}


def status(name: str, state: Object, **more: Any) -> Object:
    return {"name": name, "state": state, "ready": False, "restartCount": 0, **more}


def pod(
    *containers: Object,
    init: list[Object] | None = None,
    sidecars: tuple[str, ...] = (),
    **more: Any,
) -> Object:
    """A pod with these container statuses; `more` goes into its status (phase, conditions …)."""
    deleting = more.pop("deleting", False)
    specs = [
        {"name": each["name"], **({"restartPolicy": "Always"} if each["name"] in sidecars else {})}
        for each in init or ()
    ]
    return {
        "metadata": {
            "name": "p",
            **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}),
        },
        "spec": {
            "containers": [{"name": each["name"]} for each in containers],
            "initContainers": specs,
        },
        "status": {
            "phase": "Running",
            "containerStatuses": list(containers),
            "initContainerStatuses": list(init or ()),
            **more,
        },
    }


UP = status("a", RUNNING, ready=True)


@pytest.mark.parametrize(
    ("given", "ready", "reason"),
    [
        (pod(UP), "1/1", "Running"),
        (pod(UP, status("b", RUNNING)), "1/2", "Running"),
        ({"spec": {"containers": [{}]}, "status": {"phase": "Pending"}}, "0/1", "Pending"),
        (
            pod(status("a", waiting("ContainerCreating")), phase="Pending"),
            "0/1",
            "ContainerCreating",
        ),
        (pod(status("a", waiting("CrashLoopBackOff"))), "0/1", "CrashLoopBackOff"),
        (pod(status("a", waiting("ImagePullBackOff")), phase="Pending"), "0/1", "ImagePullBackOff"),
        (pod(status("a", waiting("ImagePullBackOff")), UP), "1/2", "ImagePullBackOff"),
        (pod(status("a", ended(0, "Completed")), phase="Succeeded"), "0/1", "Completed"),
        (pod(status("a", ended(1, "Error")), phase="Failed"), "0/1", "Error"),
        (pod(status("a", ended(3)), phase="Failed"), "0/1", "ExitCode:3"),
        (pod(status("a", ended(0, "", 9))), "0/1", "Signal:9"),
        (pod(status("a", ended(0, "Completed")), UP, conditions=[READY]), "1/2", "Running"),
        (pod(status("a", ended(0, "Completed")), UP), "1/2", "NotReady"),
        (pod(UP, deleting=True), "1/1", "Terminating"),
        (
            pod(status("a", ended(0, "Completed")), phase="Succeeded", deleting=True),
            "0/1",
            "Completed",
        ),
        (pod(UP, reason="Evicted", phase="Failed"), "1/1", "Evicted"),
        (pod(UP, reason="NodeLost", deleting=True), "1/1", "Unknown"),
        (
            pod(
                status("a", waiting("PodInitializing")),
                init=[status("i", RUNNING)],
                phase="Pending",
            ),
            "0/1",
            "Init:0/1",
        ),
        (
            pod(
                status("a", waiting("PodInitializing")),
                init=[status("i", ended(0, "Completed")), status("j", waiting("PodInitializing"))],
                phase="Pending",
            ),
            "0/1",
            "Init:1/2",
        ),
        (
            pod(
                status("a", waiting("PodInitializing")),
                init=[status("i", waiting("CrashLoopBackOff"))],
            ),
            "0/1",
            "Init:CrashLoopBackOff",
        ),
        (
            pod(status("a", waiting("PodInitializing")), init=[status("i", ended(1, "Error"))]),
            "0/1",
            "Init:Error",
        ),
        (
            pod(status("a", waiting("PodInitializing")), init=[status("i", ended(2))]),
            "0/1",
            "Init:ExitCode:2",
        ),
        (
            pod(
                status("a", waiting("PodInitializing")),
                init=[status("i", ended(0, "Completed"))],
                phase="Pending",
            ),
            "0/1",
            "PodInitializing",
        ),
        (
            pod(UP, init=[status("proxy", RUNNING, started=True, ready=True)], sidecars=("proxy",)),
            "2/2",
            "Running",
        ),
        (
            pod(
                status("a", waiting("PodInitializing")),
                init=[status("proxy", RUNNING, started=False)],
                sidecars=("proxy",),
                phase="Pending",
            ),
            "0/2",
            "Init:0/1",
        ),
        (
            pod(
                UP,
                init=[status("proxy", waiting("CrashLoopBackOff"))],
                sidecars=("proxy",),
                conditions=[INITIALIZED],
            ),
            "1/2",
            "Init:CrashLoopBackOff",
        ),
        (
            {
                "spec": {"containers": [{}]},
                "status": {
                    "phase": "Pending",
                    "conditions": [
                        {"type": "PodScheduled", "reason": "SchedulingGated", "status": "False"}
                    ],
                },
            },
            "0/1",
            "SchedulingGated",
        ),
    ],
)
def test_summary(given: Object, ready: str, reason: str) -> None:
    said = pods.summary(given)
    assert (f"{said.ready}/{said.total}", said.reason) == (ready, reason)


def _died(seconds: int) -> Object:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    return {"terminated": {"finishedAt": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}}


def test_restarts_say_when() -> None:
    a = status("a", RUNNING, ready=True, restartCount=2, lastState=_died(300))
    b = status("b", RUNNING, ready=True, restartCount=1, lastState=_died(125))
    assert pods.summary(pod(a, b)).restarts in ("3 (2m5s ago)", "3 (2m6s ago)")
    assert pods.summary(pod(status("a", RUNNING, restartCount=1))).restarts == "1"
    assert pods.summary(pod(UP)).restarts == "0"


def test_restarts_of_init_containers_count_only_while_initializing() -> None:
    failing = status("i", waiting("CrashLoopBackOff"), restartCount=4)
    assert (
        pods.summary(pod(status("a", waiting("PodInitializing")), init=[failing])).restarts == "4"
    )
    done = status("i", ended(0, "Completed"), restartCount=4)
    assert pods.summary(pod(UP, init=[done])).restarts == "0"
    sidecar = status("i", RUNNING, restartCount=4, started=True, ready=True)
    assert pods.summary(pod(UP, init=[sidecar], sidecars=("i",))).restarts == "4"


def test_wide_columns() -> None:
    given = pod(UP, podIPs=[{"ip": "127.66.0.5"}], conditions=[READY])
    given["spec"] |= {
        "nodeName": "n",
        "readinessGates": [{"conditionType": "Ready"}, {"conditionType": "x"}],
    }
    assert pods.row(given)[5:] == ["127.66.0.5", "n", "<none>", "1/2"]
    assert pods.row({"metadata": {"name": "p"}})[5:] == ["<none>"] * 4
