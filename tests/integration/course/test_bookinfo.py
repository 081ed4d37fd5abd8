"""Bookinfo through real Envoys: splits judged with intervals, and changes under load that lose nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from meshcourse import course
from meshcourse.embedded.daemon import census, launcher, state
from meshcourse.observe import stats
from meshcourse.observe.traffic import Run

VERSIONS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
"""


def subsets(*names: str) -> str:
    """A DestinationRule for reviews; every subset ``vN…`` selects the pods of version vN."""
    rows = [f"  - {{name: {name}, labels: {{version: {name[:2]}}}}}" for name in names]
    return VERSIONS + "\n".join(rows) + "\n"


def weights(**shares: int) -> str:
    """A VirtualService for reviews that splits by subset."""
    routes = "\n".join(
        f"    - destination: {{host: reviews, subset: {name}}}\n      weight: {share}"
        for name, share in shares.items()
    )
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec:
  hosts: [reviews]
  http:
  - route:
{routes}
"""


def test_every_pod_has_its_envoy(mesh: course.Mesh) -> None:
    pods = mesh.objects("pods", "default")
    assert len(pods) == 6
    for pod in pods:
        statuses = [
            *pod["status"]["containerStatuses"],
            *(
                each
                for each in pod["status"].get("initContainerStatuses", [])
                if each.get("started")
            ),
        ]
        assert len([each for each in statuses if each["ready"]]) >= 2, pod["metadata"]["name"]


def test_without_rules_the_versions_share_alike(mesh: course.Mesh) -> None:
    """One request at a time: the default, LEAST_REQUEST, prefers v1 under load because v1 asks no ratings."""
    result = mesh.traffic(n=900, rate=0, concurrency=1)
    assert result.failed == 0, result
    verdict = stats.split_plausible(result.versions, {"v1": 1, "v2": 1, "v3": 1}, 0.9999)
    assert result.n == 900
    assert verdict, verdict


def test_jason_sees_v2_and_others_v1(mesh: course.Mesh) -> None:
    mesh.apply(subsets("v1", "v2", "v3"))
    mesh.apply(
        """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match:
    - headers: {end-user: {exact: jason}}
    route:
    - destination: {host: reviews, subset: v2}
  - route:
    - destination: {host: reviews, subset: v1}
"""
    )
    wait_for(mesh, {"v1"})
    assert mesh.traffic(n=300, rate=150, user="jason").versions == {"v2": 300}
    assert mesh.traffic(n=300, rate=150).versions == {"v1": 300}


def test_weights_are_what_they_say(mesh: course.Mesh) -> None:
    mesh.apply(subsets("v1", "v3"))
    mesh.apply(weights(v1=80, v3=20))
    wait_for(mesh, {"v1", "v3"})
    result = mesh.traffic(n=1000, rate=200)
    assert result.consistent_with({"v1": 80, "v3": 20}, 0.9999), result
    assert not result.consistent_with({"v1": 65, "v3": 35}, 0.9999)  # the judgement can fail


def wait_for(mesh: course.Mesh, versions: set[str], limit: float = 10.0) -> None:
    """Until 20 answers in a row come from the expected versions only."""
    deadline = time.monotonic() + limit
    while set(mesh.traffic(n=20, rate=200).versions) - versions:
        assert time.monotonic() < deadline, f"not only {versions} after {limit} s"


def answered(run: Run, more: int, limit: float = 20.0) -> None:
    """Until so many more requests have been answered: a change that no request meets proves nothing."""
    wanted, deadline = len(run.samples) + more, time.monotonic() + limit
    while len(run.samples) < wanted:
        assert time.monotonic() < deadline, f"{more} answers took more than {limit} s"
        time.sleep(0.005)


def test_fifty_weight_changes_lose_no_request(mesh: course.Mesh) -> None:
    mesh.apply(subsets("v1", "v2", "v3"))
    mesh.apply(weights(v1=50, v2=50))
    wait_for(mesh, {"v1", "v2"})
    with mesh.start_traffic(seconds=300, rate=120) as run:
        for step in range(50):
            mesh.apply(weights(v1=step * 2, v2=100 - step * 2))
            answered(run, 8)
        run.stop()
        result = run.result()
    assert result.n >= 200
    assert result.failed == 0, result


def test_subsets_come_and_go_without_a_lost_request(mesh: course.Mesh) -> None:
    mesh.apply(subsets("v1"))
    mesh.apply(weights(v1=100))
    wait_for(mesh, {"v1"})
    with mesh.start_traffic(seconds=300, rate=120) as run:
        for step in range(15):
            mesh.apply(subsets("v1", f"v3s{step}"))
            mesh.apply(weights(**{f"v3s{step}": 100}))
            answered(run, 10)
            mesh.apply(weights(v1=100))
            mesh.apply(subsets("v1"))
            answered(run, 5)
        run.stop()
        result = run.result()
    assert result.n >= 200
    assert result.failed == 0, result


def test_killed_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL of the daemon: everything below it dies at once; `open` brings all of it back."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    mesh = course.open("killed")
    try:
        mesh.ensure("istio", "bookinfo")
        before = {pod["metadata"]["name"] for pod in mesh.objects("pods", "*")}
        mesh.close()
        directory = state.of("killed").directory
        assert len(census.members(directory)) > 20
        os.kill(launcher.status("killed")["pid"], signal.SIGKILL)
        deadline = time.monotonic() + 1.0
        while (left := census.members(directory)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert left == []
        mesh = course.open("killed")
        mesh.ensure("istio", "bookinfo")
        assert {pod["metadata"]["name"] for pod in mesh.objects("pods", "*")} == before
        assert mesh.traffic(n=20, rate=50).statuses == {200: 20}
    finally:
        mesh.close()
        launcher.down("killed")
    assert census.members(directory) == []
