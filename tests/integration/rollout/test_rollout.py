"""Splits and canaries over real Envoys: shares judged with intervals, moves that lose nothing, bad versions sent back.

Every judgement of a right configuration is at four standard deviations: it fails once in ten thousand runs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshcourse import course, paths
from meshcourse.embedded.daemon import launcher
from meshcourse.rollout.splitter import Splitter
from meshcourse.rollout.weights import RolloutError

NAME = "rollout-tests"
#: Two-sided, of four standard deviations.
SURE = 2 * statistics.NormalDist().cdf(4) - 1
#: The reviews alone, as JSON: half the work of a page.
REVIEWS = "/api/v1/products/0/reviews"
BUG = Path("labs/apps/bookinfo/reviews-v3-bug.yaml")


@pytest.fixture(scope="module")
def mesh() -> Iterator[course.Mesh]:
    found = course.open(NAME)
    try:
        found.ensure("bookinfo", "prometheus")
        found.split({"v1": 100}, n=20)
        yield found
    finally:
        found.close()
        launcher.down(NAME, delete=True)


@pytest.mark.parametrize("weights", [{"v1": 80, "v2": 20}, {"v1": 50, "v2": 50}])
def test_shares_are_what_the_weights_say(mesh: course.Mesh, weights: dict[str, int]) -> None:
    found = mesh.split(weights, target=REVIEWS, n=1000)
    assert found.result.n >= 1000
    assert found.failed == 0, found
    verdict = found.consistent_with(weights, confidence=SURE)
    assert verdict, verdict
    assert found.arrival is not None
    assert found.arrival.seconds < 5


def test_nothing_for_v1_is_nothing_at_all(mesh: course.Mesh) -> None:
    found = mesh.split({"v1": 0, "v2": 100}, target=REVIEWS, n=1000)
    assert found.result.versions == {"v2": found.result.n}
    assert found.failed == 0, found


def test_seventy_thirty_is_told_from_eighty_twenty(mesh: course.Mesh) -> None:
    """At n = 1,000 they are seven standard deviations apart: missed in one of 10,000 runs."""
    found = mesh.split({"v1": 70, "v2": 30}, target=REVIEWS, n=1000)
    assert found.consistent_with({"v1": 70, "v2": 30}, confidence=SURE)
    assert not found.consistent_with({"v1": 80, "v2": 20}, confidence=0.99), found


def test_a_hundred_moves_lose_no_request(mesh: course.Mesh) -> None:
    """Each move waits for some answers, so that all of them happen under load however slow the machine is."""
    splitter = Splitter(mesh, "reviews")
    with mesh.start_traffic(REVIEWS, seconds=600, rate=0, concurrency=4) as run:
        for move in range(100):
            splitter.set({"v1": (move * 37) % 101, "v2": 100 - (move * 37) % 101})
            wanted = len(run.samples) + 5
            while len(run.samples) < wanted and run.running:
                time.sleep(0.02)
        run.stop()
        found = run.result()
    assert found.n >= 500
    assert found.failed == 0, found
    assert set(found.versions) == {"v1", "v2"}  # no page without reviews


def test_a_good_version_is_promoted(mesh: course.Mesh) -> None:
    found = mesh.canary(stable="v1", candidate="v2", steps=(25, 100))
    assert found.outcome == "promoted", found
    assert [step.percent for step in found.canary.steps] == [25, 100]
    assert mesh.traffic(n=60, rate=0, concurrency=4).versions == {"v2": 60}
    assert found.canary.visitors is not None
    assert found.canary.visitors.failed == 0


def test_a_version_that_fails_a_fifth_is_sent_back(mesh: course.Mesh) -> None:
    mesh.split({"v2": 100}, n=20)
    mesh.apply(paths.home() / BUG).raise_on_error()
    try:
        found = mesh.canary(stable="v2", candidate="v3", steps=(25, 100))
    finally:
        mesh.delete(paths.home() / BUG)
    assert found.outcome == "rolled back", found
    assert found.canary.steps[-1].percent == 25
    assert found.canary.steps[-1].counts.errors > 0
    assert mesh.traffic(n=60, rate=0, concurrency=4).versions == {"v2": 60}


def test_a_route_for_testers_survives_the_sliders(mesh: course.Mesh) -> None:
    mesh.split({"v1": 100}, n=20)
    (rule,) = [
        each for each in mesh.objects("virtualservices") if each["metadata"]["name"] == "reviews"
    ]
    tester = {
        "match": [{"headers": {"cookie": {"regex": "(.*; ?)?canary=yes(;.*)?"}}}],
        "route": [{"destination": {"host": "reviews", "subset": "v3"}}],
    }
    mesh.patch("virtualservice", "reviews", {"spec": {"http": [tester, *rule["spec"]["http"]]}})
    mesh.split({"v1": 0, "v2": 100}, n=40)
    with_cookie = mesh.traffic(n=40, rate=0, concurrency=4, headers={"Cookie": "a=b; canary=yes"})
    assert with_cookie.versions == {"v3": 40}
    assert mesh.traffic(n=40, rate=0, concurrency=4).versions == {"v2": 40}


def test_a_version_that_does_not_exist_is_refused(mesh: course.Mesh) -> None:
    with pytest.raises(RolloutError, match="no pod has version v9"):
        mesh.split({"v1": 90, "v9": 10})
