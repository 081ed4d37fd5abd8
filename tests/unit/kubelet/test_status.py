"""Phase and conditions as a kubelet computes them."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.kubelet.pods import resume, state, status
from meshcourse.embedded.kubelet.pods.state import ContainerState
from meshcourse.embedded.kubelet.pods.status import PodFacts

NOW = "2026-01-02T03:04:05Z"


def container(what: str, role: state.Role = "main", **fields: Any) -> ContainerState:
    """`what`: running, waiting, or an exit code; "waiting after N" has a last state."""
    made = ContainerState(fields.pop("name", "app"), role, "image", **fields)
    if what == "running":
        made.state = state.running(NOW)
        made.ready = made.started = fields.get("ready", True)
    elif what.startswith("waiting"):
        made.state = state.waiting("CrashLoopBackOff")
        if "after" in what:
            made.last_state = ended(int(what.split()[-1]))
    else:
        made.state = ended(int(what))
    return made


def ended(code: int) -> dict[str, Any]:
    return state.terminated(code, "x", started_at=NOW, finished_at=NOW)


def phase(main: str, policy: str = "Always", init: str = "") -> str:
    facts = PodFacts(
        spec={"restartPolicy": policy},
        init=[container(each, "init") for each in init.split(",") if each],
        main=[container(each) for each in main.split(",")],
    )
    return status.phase(facts)


@pytest.mark.parametrize(
    ("main", "policy", "init", "expected"),
    [
        ("waiting", "Always", "", "Pending"),
        ("running", "Always", "", "Running"),
        ("running,waiting", "Always", "", "Pending"),
        ("waiting after 1", "Always", "", "Running"),
        ("running,waiting after 1", "Always", "", "Running"),
        ("0", "Always", "", "Running"),
        ("0", "OnFailure", "", "Succeeded"),
        ("0,0", "Never", "", "Succeeded"),
        ("0,1", "Never", "", "Failed"),
        ("0,1", "OnFailure", "", "Running"),
        ("waiting", "Always", "running", "Pending"),
        ("waiting", "Always", "0,waiting", "Pending"),
        ("waiting", "Never", "1", "Failed"),
        ("running", "Always", "0", "Running"),
    ],
)
def test_phase(main: str, policy: str, init: str, expected: str) -> None:
    assert phase(main, policy, init) == expected


def conditions(facts: PodFacts) -> dict[str, dict[str, Any]]:
    return {each["type"]: each for each in status.render(facts, NOW)["conditions"]}


def test_conditions_of_a_pod_whose_init_container_runs() -> None:
    init, main = container("running", "init", name="prepare"), container("waiting")
    found = conditions(PodFacts(spec={}, init=[init], main=[main], sandbox=True))
    assert found["Initialized"]["status"] == "False"
    assert found["Initialized"]["reason"] == "ContainersNotInitialized"
    assert found["Initialized"]["message"] == "containers with incomplete status: [prepare]"
    assert found["Ready"]["reason"] == "ContainersNotReady"
    assert found["ContainersReady"]["message"] == "containers with unready status: [app]"
    assert found["PodReadyToStartContainers"]["status"] == "True"


def test_a_sidecar_must_have_started_and_be_ready() -> None:
    sidecar = container("running", "sidecar", name="proxy")
    sidecar.ready = False
    found = conditions(PodFacts(spec={}, init=[sidecar], main=[container("running")]))
    assert found["Initialized"]["status"] == "True"
    assert found["Ready"]["message"] == "containers with unready status: [proxy]"


@pytest.mark.parametrize(("code", "reason"), [("0", "PodCompleted"), ("1", "PodFailed")])
def test_conditions_of_an_ended_pod(code: str, reason: str) -> None:
    found = conditions(PodFacts(spec={"restartPolicy": "Never"}, init=[], main=[container(code)]))
    assert found["Ready"]["reason"] == found["ContainersReady"]["reason"] == reason


def test_readiness_gates_and_conditions_of_others() -> None:
    facts = PodFacts(
        spec={"readinessGates": [{"conditionType": "example.com/lb"}]},
        init=[],
        main=[container("running")],
    )
    found = conditions(facts)
    assert found["ContainersReady"]["status"] == "True"
    assert found["Ready"]["reason"] == "ReadinessGatesNotReady"
    assert 'readiness gate "example.com/lb" does not exist' in found["Ready"]["message"]
    facts.old_conditions = [{"type": "example.com/lb", "status": "True"}]
    found = conditions(facts)
    assert found["Ready"]["status"] == "True"
    assert found["example.com/lb"] == {"type": "example.com/lb", "status": "True"}


def test_transition_times_change_with_the_status_only() -> None:
    old = [{"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]
    same = PodFacts(spec={}, init=[], main=[container("running")], old_conditions=old)
    assert conditions(same)["Ready"]["lastTransitionTime"] == "2020-01-01T00:00:00Z"
    other = PodFacts(spec={}, init=[], main=[container("waiting")], old_conditions=old)
    assert conditions(other)["Ready"]["lastTransitionTime"] == NOW


def test_a_pod_that_the_kubelet_failed() -> None:
    facts = PodFacts(
        spec={}, init=[], main=[container("running")], failed=("DeadlineExceeded", "too long")
    )
    found = status.render(facts, NOW)
    assert (found["phase"], found["reason"], found["message"]) == (
        "Failed",
        "DeadlineExceeded",
        "too long",
    )


def test_a_container_that_ran_under_an_earlier_daemon_is_lost() -> None:
    fresh = ContainerState("app", "main", "image")
    state.restore(
        fresh,
        {
            "restartCount": 2,
            "image": "docker.io/library/image:1",
            "containerID": "meshcourse://1",
            "state": {"running": {"startedAt": NOW}},
        },
    )
    assert fresh.restart_count == 2
    assert fresh.exit_code == 255
    assert fresh.state["terminated"]["reason"] == "Unknown"
    assert fresh.state["terminated"]["startedAt"] == NOW


def test_a_container_status_has_the_fields_of_the_api() -> None:
    made = container("running")
    made.container_id, made.resources = "meshcourse://1", {"requests": {"cpu": "1"}}
    assert made.render() == {
        "name": "app",
        "state": {"running": {"startedAt": NOW}},
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": "image",
        "imageID": "",
        "started": True,
        "containerID": "meshcourse://1",
        "resources": {"requests": {"cpu": "1"}},
        "allocatedResources": {"cpu": "1"},
    }


def resumed(role: state.Role, was: dict[str, Any], policy: str, again: bool) -> ContainerState:
    pod = {
        "spec": {"restartPolicy": policy},
        "status": {"containerStatuses": [{"name": "app", "restartCount": 1, "state": was}]},
    }
    fresh = ContainerState("app", role, "image")
    resume.states(pod, [fresh], lambda _container, _code: again)
    return fresh


RUNNING = {"running": {"startedAt": NOW}}


def test_after_a_restart_a_lost_container_waits_for_its_next_life() -> None:
    found = resumed("main", RUNNING, "Always", again=True)
    assert found.state == {"waiting": {"reason": "ContainerCreating"}}
    assert found.last_state["terminated"]["exitCode"] == 255
    assert found.restart_count == 2


def test_after_a_restart_what_may_not_run_again_stays_ended() -> None:
    found = resumed("main", RUNNING, "Never", again=False)
    assert found.exit_code == 255
    assert found.restart_count == 1


@pytest.mark.parametrize(("policy", "count"), [("Always", 2), ("Never", 1)])
def test_after_a_restart_init_containers_run_again_unless_never(policy: str, count: int) -> None:
    assert resumed("init", ended(0), policy, again=False).restart_count == count


def test_a_pod_that_has_ended_is_left_as_it_is() -> None:
    pod = {
        "status": {"phase": "Succeeded", "containerStatuses": [{"name": "app", "state": ended(0)}]}
    }
    fresh = ContainerState("app", "main", "image")
    assert not resume.states(pod, [fresh], lambda _container, _code: True)
    assert fresh.exit_code == 0
