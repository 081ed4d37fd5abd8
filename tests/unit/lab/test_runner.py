from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from meshcourse.cluster.cluster import Cluster
from meshcourse.errors import MeshcourseError
from meshcourse.lab import checks, manifest, runner
from tests.unit.cluster.fake_api import FakeApi

MEASURE = """
from meshcourse.lab import Finding, check
seen = []

@check("Measure")
def measure(cluster):
    seen.append(1)
    return Finding(len(seen) > 1, str(len(seen)), "2")
"""
AT = "/api/v1/namespaces/default/configmaps/hello"


def report(home: Path, cluster: Cluster, **options: float) -> runner.Report:
    return runner.run(manifest.read(home).lab("00-hello"), cluster, pause=0.01, **options)


def test_a_failed_check_says_what_was_observed_expected_and_where_to_look(
    home: Path, cluster: Cluster
) -> None:
    found = report(home, cluster)
    assert not found.passed
    assert repr(found).splitlines() == [
        "00-hello: not yet (0 of 2 checks hold)",
        "✗ Look for the object",
        "    observed: absent",
        "    expected: there",
        "    look at:  `%kubectl get cm`",
        "… 1 more after this one",
    ]
    with pytest.raises(MeshcourseError, match="not yet"):
        found.raise_if_failed()


def test_a_solved_lab_says_what_was_observed(api: FakeApi, home: Path, cluster: Cluster) -> None:
    api.put(AT, data={"count": "7"})
    found = report(home, cluster)
    assert found.passed
    assert "00-hello: solved (2 of 2 checks hold)" in repr(found)
    assert found.raise_if_failed() is found


def test_a_condition_that_converges_is_waited_for(
    api: FakeApi, home: Path, cluster: Cluster
) -> None:
    api.put(AT, data={"count": "6"})
    asked = 0
    original = cluster.get

    def get(what: str, name: str, namespace: str = "") -> object:
        nonlocal asked
        asked += 1
        if asked == 4:
            api.put(AT, data={"count": "7"})
        return original(what, name, namespace)

    cluster.get = get  # type: ignore[method-assign, assignment]
    assert report(home, cluster).passed
    assert asked == 4


def test_a_measurement_is_made_once(
    home: Path, cluster: Cluster, edit: Callable[[str, str], None]
) -> None:
    edit("checks.py", MEASURE)
    found = report(home, cluster)
    assert [step.finding.observed for step in found.steps] == ["1"]


def test_patience_cuts_waiting_short(api: FakeApi, home: Path, cluster: Cluster) -> None:
    api.put(AT, data={"count": "6"})
    assert not report(home, cluster, patience=0).passed


def test_a_clusters_refusal_is_an_observation(api: FakeApi, home: Path, cluster: Cluster) -> None:
    api.refuse("GET", AT, 403, "Forbidden", "configmaps is forbidden")
    step = report(home, cluster).steps[0]
    assert step.finding.observed == "configmaps is forbidden"
    assert "right" in step.finding.look


def test_the_page_is_well_formed_and_escapes_what_was_seen(home: Path, cluster: Cluster) -> None:
    steps = (runner.Step("Do <this>", checks.Finding(False, "<b>&", "x", "y")),)
    html = runner.Report("00-hello", steps, 1)._repr_html_()
    assert "<b>&" not in html
    assert "observed: <b>&" in "".join(ET.fromstring(html).itertext())


@pytest.mark.parametrize(
    ("text", "message"), [("x = 1\n", "no function decorated"), ("", "no function decorated")]
)
def test_checks_that_check_nothing_are_refused(
    home: Path, cluster: Cluster, edit: Callable[[str, str], None], text: str, message: str
) -> None:
    edit("checks.py", text)
    with pytest.raises(MeshcourseError, match=message):
        report(home, cluster)


def test_missing_checks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshcourseError, match="there are no checks"):
        checks.load(tmp_path / "checks.py")
