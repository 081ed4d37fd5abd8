"""Following an autoscaler that is only pretended."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.cluster import progress
from meshcourse.cluster.errors import ClusterError
from meshcourse.observe import autoscaler
from meshcourse.widgets import timeseries


def hpa(pods: int, wanted: int, use: int | None, kind: str = "containerResource") -> dict[str, Any]:
    seen = [{kind: {"current": {"averageUtilization": use}}}] if use is not None else None
    target = {kind: {"name": "cpu", "target": {"averageUtilization": 50}}}
    status = {"currentReplicas": pods, "desiredReplicas": wanted, "currentMetrics": seen}
    return {"spec": {"metrics": [target]}, "status": status}


class Cluster:
    def __init__(self, *states: dict[str, Any]) -> None:
        self.states = list(states)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscaler, "_EVERY", 0.001)


def test_it_is_followed_until_the_pods_are_there() -> None:
    cluster = Cluster({"spec": {}}, hpa(1, 1, None), hpa(1, 3, 250), hpa(1, 3, 250), hpa(3, 3, 80))
    found = autoscaler.follow(cluster, "web", 3, progress.silent(), timeout=5)  # type: ignore[arg-type]
    said = [str(look) for _, look in found.changes]
    assert said == [
        "0 pods, nothing measured yet, 0 wanted",
        "1 pod, nothing measured yet, 1 wanted",
        "1 pod, 5.0 × the target, 3 wanted",
        "3 pods, 1.6 × the target, 3 wanted",
    ]
    panel = timeseries.draw(found.matrix(), title="web")
    assert "pods: last 3" in repr(panel)
    assert "CPU, as a multiple of the target: last 1.6" in repr(panel)


def test_the_older_form_of_the_metric() -> None:
    assert autoscaler.read(hpa(1, 2, 75, "resource")).ratio == 1.5


def test_what_does_not_happen_is_said_with_its_reason() -> None:
    state = hpa(1, 1, None)
    state["status"]["conditions"] = [
        {"type": "ScalingActive", "status": "False", "message": "no metrics returned"},
        {"type": "AbleToScale", "status": "True", "message": "fine"},
    ]
    with pytest.raises(ClusterError, match=r"not 3: no metrics returned") as raised:
        autoscaler.follow(Cluster(state), "web", 3, progress.silent(), timeout=0.01)  # type: ignore[arg-type]
    assert "metrics-server" in raised.value.remedy
