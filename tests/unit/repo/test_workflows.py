"""The workflows are valid: known keys, events, runners, actions; sound expressions; steps that are verbs of make."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from meshcourse import versions
from meshcourse.cluster.kind import configuration
from tests.real import report
from tests.unit.repo import actions
from tests.unit.repo.test_repository import VERBS

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
GOOD = (ROOT / ".github" / "workflows" / "kind.yml").read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_valid(path: Path) -> None:
    assert actions.problems(path.read_text(), VERBS) == []


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-14.04", "unknown runner ubuntu-14.04"),
        ("runs-on:", "run-on:", "unknown key run-on"),
        ("timeout-minutes: 180", "if: true", "no timeout-minutes"),
        ("pull_request:", "pull_requests:", "unknown event pull_requests"),
        ("contents: read", "contents: all", "permissions: contents: all"),
        ("permissions:\n  contents: read\n", "", "permissions: say which"),
        ("make prove", "pip install x; make prove", "no verb of make"),
        ("make prove", "make proof", "no verb of make"),
        ("ISTIO=${{", "VERSION=${{", "is no variable of make"),
        ("matrix.istio }} K", "matrix.isto }} K", "the matrix has no isto"),
        ("github.ref }}", "github.ref }", "has no end"),
        ("github.ref }}", "gitub.ref }}", "unknown context gitub"),
        ("github.ref }}", "github.ref == }}", "is no expression"),
        ("github.ref }}", "github.ref $ 1 }}", "something that is no expression"),
        ("if: always()", "if: allways()", "unknown function allways"),
        ("if: always()", "if: always(", "is no expression"),
        ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5", "not pinned by its commit"),
        (" # v5.0.0", "", "no release beside the commit"),
        ("helm/kind-action", "helm/kindaction", "unknown action helm/kindaction"),
        ("install_only", "installonly", "unknown key installonly"),
        ("      - run:", "      - shell: sh\n        run:", "unknown key shell"),
        ("    steps:", "    needs: build\n    steps:", "needs build, which is no job"),
        ("jobs:", "jobs: [", "no YAML"),
    ],
)  # fmt: skip
def test_slips_of_the_pen_are_noticed(was: str, becomes: str, said: str) -> None:
    assert was in GOOD
    found = actions.problems(GOOD.replace(was, becomes), VERBS)
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("23 2 * * *", True), ("*/5 0-6 1,15 * 1-5", True),
        ("60 2 * * *", False),
        ("2 * * *", False), ("a 2 * * *", False),
    ],
)  # fmt: skip
def test_times_of_schedules(text: str, valid: bool) -> None:
    workflow = (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
    found = actions.problems(workflow.replace("23 2 * * *", text), VERBS)
    assert (found == []) is valid


def test_kind_runs_two_lines_of_istio_on_two_of_kubernetes() -> None:
    matrix = yaml.safe_load(GOOD)["jobs"]["prove"]["strategy"]["matrix"]
    assert versions.ISTIO in matrix["istio"]
    assert len({text.rpartition(".")[0] for text in matrix["istio"]}) == 2
    assert set(matrix["kubernetes"]) == set(configuration.IMAGES)
    assert len(matrix["kubernetes"]) == 2
    assert f"version: v{configuration.KIND}" in GOOD


def test_embedded_runs_where_it_is_promised() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert set(jobs["embedded"]["strategy"]["matrix"]["os"]) == actions.RUNNERS


def outcome(what: str, error: str = "") -> report.Outcome:
    return report.Outcome(what, 1.0, error)


def test_drift_is_what_differs(tmp_path: Path) -> None:
    taught = report.Report(
        "kind", "1.30.4", "v1.35.0", (outcome("lab a"), outcome("lab b", "old"), outcome("lab c"))
    )
    newest = report.Report(
        "kind",
        "1.31.0",
        "v1.35.0",
        (outcome("lab a", "503\nUF"), outcome("lab b"), outcome("lab c")),
    )
    report.write(taught, tmp_path / "deep" / "report.json")
    assert report.read(tmp_path / "deep" / "report.json") == taught
    assert report.drift(taught, newest) == [
        "- lab a: ok", "+ lab a: 503 UF", "- lab b: old", "+ lab b: ok",
    ]  # fmt: skip
    assert report.worse(taught, newest) == ["lab a"]
    page = report.page(newest, taught)
    assert "### Drift from kind, Kubernetes v1.35.0, Istio 1.30.4" in page
    assert "+ lab a: 503 UF" in page
    assert "nothing differs" in report.page(taught, taught)
    assert "Drift" not in report.page(taught)
