from __future__ import annotations

from typing import Any

import pytest

from meshcourse.cluster import podstate


def pod(*states: dict[str, Any], init: list[dict[str, Any]] | None = None, **status: Any) -> Any:
    containers = [{"name": f"c{i}"} for i in range(len(states))]
    statuses = [{"name": f"c{i}", **state} for i, state in enumerate(states)]
    inits = init or []
    return {
        "metadata": {"name": "web"},
        "spec": {
            "containers": containers,
            "initContainers": [{"name": f"i{i}", **item["spec"]} for i, item in enumerate(inits)],
        },
        "status": {
            "containerStatuses": statuses,
            "initContainerStatuses": [
                {"name": f"i{i}", **item["status"]} for i, item in enumerate(inits)
            ],
            **status,
        },
    }


RUNNING = {"ready": True, "state": {"running": {}}}
SIDECAR = {
    "spec": {"restartPolicy": "Always"},
    "status": {"ready": True, "started": True, "state": {"running": {}}},
}
READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (pod(RUNNING, phase="Running"), "web 1/1 Running"),
        (pod(RUNNING, RUNNING, phase="Running"), "web 2/2 Running"),
        (pod(RUNNING, init=[SIDECAR], phase="Running"), "web 2/2 Running"),
        (pod({"state": {"waiting": {"reason": "ContainerCreating"}}}, phase="Pending"), "web 0/1 ContainerCreating"),
        (
            pod({"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, phase="Running"),
            "web 0/1 CrashLoopBackOff, 3 restarts",
        ),
        (pod({"state": {"terminated": {"exitCode": 1}}}, phase="Running"), "web 0/1 Error"),
        (
            pod({"state": {"waiting": {"reason": "PodInitializing"}}},
                init=[{"spec": {}, "status": {"state": {"running": {}}}}], phase="Pending"),
            "web 0/1 Init:0/1",
        ),
        (
            pod({}, init=[{"spec": {}, "status": {"state": {"waiting": {"reason": "ErrImagePull"}}}}], phase="Pending"),
            "web 0/1 Init:ErrImagePull",
        ),
        (pod({}, phase="Pending"), "web 0/1 Pending"),
    ],
)  # fmt: skip
def test_a_pod_is_described_as_kubectl_does(found: Any, line: str) -> None:
    assert podstate.describe(found) == line


def test_a_pod_on_its_way_out_is_not_ready() -> None:
    leaving = pod(RUNNING, phase="Running", conditions=READY)
    assert podstate.is_ready(leaving)
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert not podstate.is_ready(leaving)
    assert podstate.status(leaving) == "Terminating"


def test_a_finished_job_counts_as_ready() -> None:
    assert podstate.is_ready(pod({}, phase="Succeeded"))
    assert not podstate.is_ready(pod({}, phase="Failed"))
