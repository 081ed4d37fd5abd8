from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse import course
from meshcourse.cluster import progress
from meshcourse.course import opening
from meshcourse.errors import MeshcourseError
from meshcourse.magics import commands
from tests.unit.cluster.conftest import FakeProvider, api
from tests.unit.cluster.fake_api import FakeApi

__all__ = ["api"]
CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"


@pytest.fixture
def mesh(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[course.Mesh]:
    """A mesh on the fake API, opened."""
    provider = FakeProvider(api.kubeconfig(tmp_path))
    provider.command = (
        sys.executable,
        "-c",
        "import sys; print('istioctl', *sys.argv[1:]); sys.exit(len(sys.argv) - 2)",
    )
    found = course.Mesh(provider, progress.silent)
    monkeypatch.setattr(opening, "_current", found)
    monkeypatch.setenv("MESHCOURSE_KUBECTL", "own")
    yield found
    found.close()


def test_apply_prints_a_line_for_each_object(
    mesh: course.Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.apply("", CM)
    commands.apply("-n team", CM)
    assert capsys.readouterr().out == "configmap/settings created\nconfigmap/settings created\n"


def test_a_refused_apply_fails_the_cell_unless_that_is_allowed(
    api: FakeApi, mesh: course.Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refuse(
        "PATCH", "/api/v1/namespaces/default/configmaps/settings", 422, "Invalid", "is invalid"
    )
    with pytest.raises(commands.CommandFailed, match="1 of 1 objects were refused"):
        commands.apply("", CM)
    commands.apply("--allow-error", CM)
    out = capsys.readouterr().out
    assert out.count("configmap/settings error: is invalid") == 2


def test_apply_takes_no_other_flags(mesh: course.Mesh) -> None:
    with pytest.raises(MeshcourseError, match="does not know '--force'"):
        commands.apply("--force", CM)


def test_kubectl_prints_one_stream_and_fails_the_cell_on_failure(
    mesh: course.Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.kubectl("create ns team")
    with pytest.raises(commands.CommandFailed, match=r"`kubectl get vs` ended with exit code 1"):
        commands.kubectl("get vs")
    commands.kubectl("--allow-error get vs")
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("namespace/team created\n")
    assert captured.out.count("doesn't have a resource type") == 2


def test_a_cell_is_standard_input(mesh: course.Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    commands.kubectl("apply -f -", CM)
    assert capsys.readouterr().out == "configmap/settings created\n"


def test_quotes_keep_words_together(mesh: course.Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    commands.kubectl("create cm x --from-literal='a=b c'")
    commands.kubectl("get cm x -o jsonpath='{.data.a}'")
    assert capsys.readouterr().out == "configmap/x created\nb c\n"


def test_istioctl_runs_as_a_program(mesh: course.Mesh, capsys: pytest.CaptureFixture[str]) -> None:
    commands.istioctl("version")
    with pytest.raises(commands.CommandFailed, match="exit code 1"):
        commands.istioctl("version --bad")
    assert capsys.readouterr().out.splitlines() == ["istioctl version", "istioctl version --bad"]


def test_without_a_mesh_the_remedy_is_the_setup_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_current", None)
    with pytest.raises(MeshcourseError, match="no mesh is open") as error:
        commands.kubectl("get pods")
    assert "course.open()" in error.value.remedy


def test_the_extension_registers_its_magics() -> None:
    from meshcourse import load_ipython_extension

    class Shell:
        def __init__(self) -> None:
            self.magics: dict[str, tuple[str, Any]] = {}

        def register_magic_function(self, function: Any, kind: str, name: str) -> None:
            self.magics[name] = (kind, function)

    shell = Shell()
    load_ipython_extension(shell)
    load_ipython_extension(shell)
    assert {name: kind for name, (kind, _f) in shell.magics.items()} == {
        "kubectl": "line_cell",
        "istioctl": "line",
        "apply": "cell",
        "trace_request": "line",
    }


def test_trace_request_reads_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    class Asked:
        def explain(self, source: str, target: str, **what: Any) -> str:
            asked.append((source, target, what))
            return "explained"

    monkeypatch.setattr(opening, "_current", Asked())
    line = "--from deploy/web -H 'end-user: jason' -X POST http://reviews:9080/0"
    assert commands.trace_request(line) == "explained"
    what = {"headers": {"end-user": "jason"}, "method": "POST"}
    assert asked == [("deploy/web", "http://reviews:9080/0", what)]
    for bad in ("--to x http://a", "", "http://a http://b"):
        with pytest.raises(MeshcourseError, match="%trace_request"):
            commands.trace_request(bad)


def test_a_notebook_shows_our_errors_without_a_traceback() -> None:
    error = MeshcourseError("it broke", remedy="mend it")
    assert error._render_traceback_() == ["it broke\n  → mend it"]
