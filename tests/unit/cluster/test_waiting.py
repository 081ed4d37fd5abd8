from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from meshcourse.cluster import kinds, progress, waiting
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ApiError, ClusterError, WaitError
from tests.unit.cluster.fake_api import FakeApi

NS = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default/deployments"
QUICK = waiting.Pace(timeout=0.3, poll=0.01, stall=0.05)


def ready_pod(api: FakeApi, name: str, ready: bool = True, **labels: str) -> None:
    state = {"running": {}} if ready else {"waiting": {"reason": "ImagePullBackOff"}}
    api.put(
        f"{NS}/pods/{name}",
        metadata={"labels": labels},
        spec={"containers": [{"name": "app"}]},
        status={
            "phase": "Running",
            "containerStatuses": [{"name": "app", "ready": ready, "state": state}],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    )


def deployment(api: FakeApi, name: str, **status: int) -> None:
    full = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    api.put(
        f"{APPS}/{name}", metadata={"generation": 1}, spec={"replicas": 1}, status=full | status
    )


class Sink:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.lively: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def live(self, text: str) -> None:
        self.lively.append(text)


def test_waiting_ends_when_nothing_is_missing() -> None:
    answers: list[Sequence[str]] = [["a"], ["a"], []]
    sink = Sink()
    waiting.until("things", lambda: answers.pop(0), progress.Progress(sink), pace=QUICK)
    assert not answers
    assert sink.lines[-1].startswith("✓ things")
    assert sink.lively[0] == "… things"


def test_a_stall_is_explained_once_and_the_deadline_says_what_is_missing() -> None:
    sink = Sink()
    with pytest.raises(WaitError) as error:
        waiting.until(
            "pods", lambda: ["web 0/1 Pending"], progress.Progress(sink), pace=QUICK,
            explain=lambda: ["  pod/web: FailedMount: no such secret"],
        )  # fmt: skip
    assert "web 0/1 Pending" in error.value.message
    assert "FailedMount" in error.value.message
    assert "describe pod" in error.value.remedy
    assert sum("FailedMount" in line for line in sink.lines) == 1
    assert sink.lines[-1].startswith("✗ pods")


def test_a_namespace_is_ready_when_all_its_pods_and_roll_outs_are(api: FakeApi) -> None:
    missing = waiting.workloads(api.client(), "default")
    assert missing() == ["no pods in namespace default yet"]
    ready_pod(api, "a")
    ready_pod(api, "b", ready=False)
    deployment(api, "web", availableReplicas=0)
    assert missing() == ["b 0/1 ImagePullBackOff"]
    ready_pod(api, "b")
    assert missing() == ["web: 0 of 1 pods available"]
    deployment(api, "web")
    assert missing() == []


def test_a_selector_narrows_what_is_waited_for(api: FakeApi) -> None:
    ready_pod(api, "a", app="x")
    ready_pod(api, "b", ready=False, app="y")
    assert waiting.workloads(api.client(), "default", "app=x")() == []
    assert "with app=z yet" in waiting.workloads(api.client(), "default", "app=z")()[0]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ({"observedGeneration": 0}, "web: change not seen by the controller yet"),
        ({"updatedReplicas": 0}, "web: 0 of 1 pods updated"),
        ({"replicas": 2}, "web: 1 of 1 pods updated"),
        ({"availableReplicas": 0}, "web: 0 of 1 pods available"),
        ({}, ""),
    ],
)
def test_a_roll_out_is_over_when_the_new_pods_are_available_and_the_old_gone(
    api: FakeApi, status: dict[str, int], line: str
) -> None:
    deployment(api, "web", **status)
    assert waiting.rollout(api.objects[f"{APPS}/web"]) == line


def test_single_objects_are_waited_for_by_what_they_are_for(api: FakeApi, cluster: Cluster) -> None:
    client = api.client()
    service = waiting.named(client, kinds.SERVICE, "default", "gw")
    assert service() == ["service/gw does not exist yet"]
    api.put(f"{NS}/services/gw", spec={"type": "LoadBalancer"})
    assert service() == ["service/gw: no load-balancer address yet"]
    api.put(f"{NS}/services/gw", status={"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}})
    assert service() == []
    ready_pod(api, "a", ready=False)
    assert waiting.named(client, kinds.POD, "default", "a")() == ["a 0/1 ImagePullBackOff"]


def test_other_kinds_are_ready_when_their_condition_says_so(api: FakeApi) -> None:
    kind = kinds.Kind("", "v1", "configmaps", "ConfigMap")
    conditions: list[dict[str, Any]] = [{"type": "Ready", "status": "False", "message": "soon"}]
    api.put(f"{NS}/configmaps/x", status={"conditions": conditions})
    assert waiting.named(api.client(), kind, "default", "x")() == ["x: Ready is False: soon"]
    api.put(f"{NS}/configmaps/x")
    assert waiting.named(api.client(), kind, "default", "x")() == []


def test_other_errors_than_absence_are_not_waited_out(api: FakeApi) -> None:
    api.refuse("GET", f"{NS}/pods/a", 403, "Forbidden", "pods is forbidden")
    with pytest.raises(ApiError, match="forbidden"):
        waiting.named(api.client(), kinds.POD, "default", "a")()


def test_gone_means_that_nothing_matches_any_more(api: FakeApi) -> None:
    ready_pod(api, "a", app="x")
    by_label = waiting.gone(api.client(), kinds.POD, "default", selector="app=x")
    by_name = waiting.gone(api.client(), kinds.POD, "default", "b")
    assert by_label() == ["pod/a is still there"]
    assert by_name() == []
    del api.objects[f"{NS}/pods/a"]
    assert by_label() == []


def test_warnings_about_what_is_late_are_shown_newest_last(api: FakeApi) -> None:
    for number, (kind, who) in enumerate(
        [("Warning", "web-1"), ("Normal", "web-1"), ("Warning", "other")]
    ):
        api.put(
            f"{NS}/events/e{number}", type=kind, reason="Failed", message=f"m{number}",
            involvedObject={"kind": "Pod", "name": who}, lastTimestamp=f"2026-01-01T00:00:0{number}Z",
        )  # fmt: skip
    assert waiting.events(api.client(), "default", ["web"]) == ["  pod/web-1: Failed: m0"]


def test_the_cluster_waits_for_names_or_for_the_namespace(api: FakeApi, cluster: Cluster) -> None:
    ready_pod(api, "a")
    deployment(api, "web")
    assert cluster.wait() < 5
    assert cluster.wait("deployment/web", "pod/a") < 5
    with pytest.raises(ClusterError, match="names no object"):
        cluster.wait("web")
    with pytest.raises(WaitError, match="does not exist yet"):
        cluster.wait("pod/never", timeout=0.2)


def test_a_condition_is_looked_at_until_it_is_met() -> None:
    looks: list[int] = []

    def third() -> bool:
        looks.append(1)
        return len(looks) == 3

    assert waiting.met(third) >= 0.0
    assert len(looks) == 3
    with pytest.raises(WaitError, match=r"not so within 0\.05 s"):
        waiting.met(list, seconds=0.05)


def test_why_a_pod_is_late_its_containers_and_their_last_words(api: FakeApi) -> None:
    crashing = {
        "name": "app",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    pulling = {
        "name": "proxy",
        "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
    }
    api.put(
        f"{NS}/pods/web-1",
        spec={"containers": [{"name": "app"}, {"name": "proxy"}]},
        status={"phase": "Pending", "containerStatuses": [crashing, pulling]},
    )
    ready_pod(api, "fine-1")
    api.put(f"{NS}/pods/web-1/log", text="")
    api.refusals["GET", f"{NS}/pods/web-1/log"] = (200, "starting\nno configuration\n")
    found = waiting.why(api.client(), "default")
    assert found == [
        "  pod/web-1: app: starting",
        "  pod/web-1: app: no configuration",
        "  pod/web-1: proxy: no such image",
    ]
    api.refuse(
        "GET", f"{NS}/pods/web-1/log", 400, "BadRequest", "previous terminated container not found"
    )
    assert waiting.why(api.client(), "default") == ["  pod/web-1: proxy: no such image"]
