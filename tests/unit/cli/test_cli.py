from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from meshcourse.cli import clusters
from meshcourse.cli import main as entry
from meshcourse.cluster import embedded, preflight

STATUS: dict[str, Any] = {
    "name": "meshcourse", "running": True, "pid": 7, "url": "https://127.0.0.1:1", "kubeconfig": "/k",
    "directory": "/d", "number": 66, "version": "v1.35.0", "processes": [{"pid": 7}], "memory": 5 << 20,
    "pods": [{"namespace": "default", "name": "web", "phase": "Running", "ready": 2, "containers": 2, "restarts": 1}],
}  # fmt: skip


def invoke(*args: str) -> Any:
    return CliRunner().invoke(entry.app, list(args))


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.Embedded, "status", lambda self: dict(STATUS))


@pytest.mark.usefixtures("running")
def test_status_says_what_runs_and_what_is_a_stand_in() -> None:
    out = invoke("status").output
    assert (
        'cluster "meshcourse" runs at https://127.0.0.1:1 (Kubernetes v1.35.0), 1 processes, 5 MiB'
        in out
    )
    assert "default/web 2/2 Running, 1 restarts" in out
    assert "real      Envoy" in out
    assert "stand-in  Kubernetes API server" in out


@pytest.mark.usefixtures("running")
def test_status_for_programs_is_json() -> None:
    found = json.loads(invoke("status", "--json").output)
    assert found["running"] is True
    assert {key: found["parts"][0][key] for key in ("name", "real")} == {
        "name": "Envoy",
        "real": True,
    }


def test_a_cluster_that_is_not_running_says_how_to_start_it() -> None:
    for command in (["kubeconfig"], ["url", "productpage"], ["kubectl", "get", "pods"]):
        done = subprocess.run(
            [sys.executable, "-m", "meshcourse.cli.main", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "is not running" in done.stderr
        assert "meshcourse up" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unknown_component_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded.Embedded, "start", lambda self, progress: pytest.fail("started"))
    result = invoke("up", "--with", "istio,nonsense")
    assert result.exit_code == 1
    assert "nonsense" in str(result.exception)


def test_an_invalid_name_is_refused() -> None:
    result = invoke("up", "--name", "Not Valid")
    assert 'invalid cluster name "Not Valid"' in str(result.exception)


def test_down_of_everything_where_there_is_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Not the state of this test run: clusters of other tests live there.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = invoke("down", "--all")
    assert result.exit_code == 0
    assert "there is no cluster" in result.output


def test_doctor_fails_only_if_something_needed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    good = preflight.Finding("Python", True, "3.11")
    nice = preflight.Finding("kubectl", False, "none", "install it", needed=False)
    bad = preflight.Finding("free memory", False, "10 MiB", "close something")
    monkeypatch.setattr(preflight, "examine", lambda: [good, nice])
    fine = invoke("doctor")
    assert fine.exit_code == 0
    assert "· kubectl" in fine.output
    monkeypatch.setattr(preflight, "examine", lambda: [good, bad])
    failed = invoke("doctor")
    assert failed.exit_code == 1
    assert "✗ free memory        10 MiB\n    → close something" in failed.output


def test_the_real_machine_can_be_examined() -> None:
    found = {finding.name: finding for finding in preflight.examine()}
    assert found["Python"].ok
    assert found["Envoy"].ok, found["Envoy"]
    assert all(finding.remedy for finding in found.values() if not finding.ok)


def test_images_of_a_learner_are_added_listed_and_removed() -> None:
    assert (
        "mine/hello"
        in invoke("image", "add", "mine/hello", "--", "python3", "-m", "http.server").output
    )
    listed = invoke("image", "list").output
    assert "python3 -m http.server" in listed
    assert "examples-bookinfo-reviews-v1" in listed
    assert invoke("image", "remove", "mine/hello").exit_code == 0
    assert invoke("image", "remove", "mine/hello").exit_code == 1


def test_labs_are_listed_hinted_and_solved_on_paper(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(Path(__file__).parents[3])
    assert "00-hello" in invoke("lab", "list").output
    assert "Hint 1 of" in invoke("lab", "hint", "00-hello").output
    assert "Hint 2 of" in invoke("lab", "hint", "00-hello").output
    assert "kind: ConfigMap" in invoke("lab", "solution", "00-hello").output


def test_versions_are_printed_for_people_and_programs() -> None:
    assert "istio 1.30" in invoke("version").output
    assert json.loads(invoke("version", "--json").output)["kubernetes"].startswith("v1.")


@pytest.mark.parametrize("tool", ["kubectl", "istioctl"])
def test_tools_get_their_arguments_as_they_are(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    words = ["exec", "-it", "web", "--help", "--", "sh", "--", "x"]
    monkeypatch.setattr(clusters, tool, lambda args: seen.append(list(args)) or 3)
    monkeypatch.setattr(sys, "argv", ["meshcourse", tool, *words])
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert stop.value.code == 3
    assert seen == [words]


def test_the_command_line_starts_quickly() -> None:
    """Only what every command needs is imported; measured against the interpreter itself, the best of five."""

    def best(*command: str) -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            times.append(time.perf_counter() - began)
        return min(times)

    bare = best("-c", "pass")
    own = best("-c", "import meshcourse.cli.main")
    assert own < bare * 5 + 0.1


def test_no_heavy_library_is_imported_at_start() -> None:
    script = (
        "import sys, meshcourse.cli.main; "
        "heavy = {'kubernetes', 'aiohttp', 'grpc', 'IPython', 'urllib3', 'rich.console'} & set(sys.modules); "
        "print(*heavy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""
