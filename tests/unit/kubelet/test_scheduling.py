"""What the scheduler refuses, in kube-scheduler's words."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.kubelet import affinity, scheduler
from meshcourse.embedded.kubelet.pods.backoff import Backoff


def node(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "n1", "labels": {"disk": "ssd", "cores": "8"}},
        "spec": spec,
        "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}},
    }


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [], **spec}}


def affine(**term: Any) -> dict[str, Any]:
    required = {"nodeSelectorTerms": [term]}
    name = "requiredDuringSchedulingIgnoredDuringExecution"
    return pod(affinity={"nodeAffinity": {name: required}})


NO_MATCH = "1 node(s) didn't match Pod's node affinity/selector"


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [
        (pod(), ""),
        (pod(nodeSelector={"disk": "ssd"}), ""),
        (pod(nodeSelector={"disk": "tape"}), NO_MATCH),
        (affine(matchExpressions=[expression("disk", "In", "ssd", "nvme")]), ""),
        (affine(matchExpressions=[expression("disk", "NotIn", "ssd")]), NO_MATCH),
        (affine(matchExpressions=[expression("gpu", "Exists")]), NO_MATCH),
        (affine(matchExpressions=[expression("gpu", "DoesNotExist")]), ""),
        (affine(matchExpressions=[expression("cores", "Gt", "4")]), ""),
        (affine(matchExpressions=[expression("cores", "Lt", "4")]), NO_MATCH),
        (affine(matchExpressions=[expression("disk", "Gt", "4")]), NO_MATCH),
        (affine(matchFields=[expression("metadata.name", "In", "n1")]), ""),
        (affine(), NO_MATCH),
    ],
)
def test_selectors_and_affinity(wanted: dict[str, Any], refused: str) -> None:
    assert scheduler.refusal(wanted, node(), 0) == refused


def test_taints_and_tolerations() -> None:
    tainted = node(taints=[{"key": "team", "value": "red", "effect": "NoSchedule"}])
    assert scheduler.refusal(pod(), tainted, 0) == "1 node(s) had untolerated taint {team: red}"
    for toleration in (
        {"key": "team", "operator": "Exists"},
        {"key": "team", "value": "red"},
        {"operator": "Exists"},
    ):
        assert scheduler.refusal(pod(tolerations=[toleration]), tainted, 0) == ""
    other = {"key": "team", "value": "blue", "effect": "NoSchedule"}
    assert scheduler.refusal(pod(tolerations=[other]), tainted, 0) != ""
    preferred = node(taints=[{"key": "team", "effect": "PreferNoSchedule"}])
    assert scheduler.refusal(pod(), preferred, 0) == ""


def test_a_cordoned_node() -> None:
    assert scheduler.refusal(pod(), node(unschedulable=True), 0) == "1 node(s) were unschedulable"


def test_requests_beyond_the_machine_and_too_many_pods() -> None:
    big = {"name": "c", "resources": {"requests": {"cpu": "1500m", "memory": "3Gi"}}}
    assert scheduler.refusal(pod(containers=[big]), node(), 0) == ""
    message = "1 Insufficient cpu, 1 Insufficient memory"
    assert scheduler.refusal(pod(containers=[big, big]), node(), 0) == message
    assert scheduler.refusal(pod(), node(), scheduler.MAX_PODS) == "1 Too many pods"


def test_a_toleration_with_an_effect_is_for_that_effect_only() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    toleration = {"key": "k", "value": "v", "effect": "NoExecute"}
    assert affinity.untolerated(pod(tolerations=[toleration]), [taint]) == taint


def test_back_off_doubles_from_ten_seconds_to_five_minutes_and_starts_again_after_ten_minutes() -> (
    None
):
    now = 0.0
    backoff = Backoff(clock=lambda: now)
    pauses = [backoff.next() for _ in range(9)]
    assert pauses == [0, 10, 20, 40, 80, 160, 300, 300, 300]
    now = 601.0
    assert backoff.next() == 0
