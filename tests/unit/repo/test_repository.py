"""The repository checks itself: what CI calls, what is pinned, what the labs and the import contracts promise."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

from meshcourse.lab import checks, manifest, notebook_lint, steps

ROOT = Path(__file__).parents[3]
VERBS = {"lab", "course", "test", "prove", "bench", "lint", "clean"}


def makefile() -> str:
    return (ROOT / "Makefile").read_text()


def test_the_makefile_has_exactly_the_agreed_verbs() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile(), flags=re.M)
    assert set(phony.split()) == VERBS
    assert set(re.findall(r"^([a-z]+):", makefile(), flags=re.M)) == VERBS


def test_the_cluster_is_chosen_by_a_variable_of_make() -> None:
    command = ["make", "-pn", "course", "CLUSTER=kind", "ISTIO=1.29.6", "KUBERNETES=1.34"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for line in ("CLUSTER := $(CLUSTER)", "ISTIO := $(ISTIO)", "KUBERNETES := $(KUBERNETES)"):
        assert f"MESHCOURSE_{line}" in makefile()
    assert "MESHCOURSE_CLUSTER := kind" in done.stdout
    assert "MESHCOURSE_ISTIO := 1.29.6" in done.stdout


@pytest.mark.parametrize("verb", sorted(VERBS - {"clean"}))
def test_every_verb_makes_its_environment_if_it_is_missing(verb: str, tmp_path: Path) -> None:
    """`make -n` in an empty folder: the plan begins with the environment."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "tests", ".ci"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        ["make", "-n", verb], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.index(".ci/venv") < done.stdout.index("requirements.txt")


def test_jupyter_serves_the_pictures_beside_the_notebooks() -> None:
    """Given only a notebook, Jupyter would serve its folder, and ``../img`` would be out of reach."""
    done = subprocess.run(
        ["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f'--ServerApp.root_dir="{ROOT}"' in done.stdout


def test_ci_runs_make_test() -> None:
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("name", ["run", "venv"])
def test_scripts_of_ci_parse(name: str) -> None:
    script = ROOT / ".ci" / name
    assert script.stat().st_mode & 0o111
    shell = script.read_text().splitlines()[0].rsplit("/", 1)[-1].split()[-1]
    subprocess.run([shell, "-n", str(script)], check=True)


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    found = [line.split(";")[0].strip() for line in lines if line and not line.startswith("#")]
    assert found
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line) for line in found), found
    return {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower(): line.split("==")[1] for line in found
    }


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime, developer = pins("requirements.txt"), pins("tests/requirements.txt")
    for text in project["dependencies"]:
        need = Requirement(text)
        assert runtime[re.sub(r"[-_.]+", "-", need.name).lower()] in need.specifier
    for text in project["optional-dependencies"]["dev"]:
        need = Requirement(text)
        name = re.sub(r"[-_.]+", "-", need.name).lower()
        assert (developer | runtime)[name] in need.specifier


def test_the_version_is_said_once() -> None:
    from meshcourse import versions

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == versions.COURSE


def test_import_contracts_are_exhaustive() -> None:
    config = ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = [config[name] for name in config.sections() if config[name].get("type") == "layers"]
    assert [layer["containers"] for layer in layers] == ["meshcourse", "meshcourse.embedded"]
    assert all(layer.getboolean("exhaustive") for layer in layers)


def test_a_forbidden_import_is_noticed(tmp_path: Path) -> None:
    """The contracts are only worth something if they fail: a course that reaches into the engine must be refused."""
    shutil.copytree(
        ROOT / "meshcourse", tmp_path / "meshcourse", ignore=shutil.ignore_patterns("__pycache__")
    )
    with (tmp_path / "meshcourse" / "lab" / "checks.py").open("a") as module:
        module.write("\nfrom meshcourse.embedded.kube import refs\n")
    shutil.copy(ROOT / ".importlinter", tmp_path)
    done = subprocess.run(
        [_tool("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "meshcourse.lab.checks -> meshcourse.embedded.kube" in done.stdout


def _tool(name: str) -> str:
    import sysconfig

    return str(Path(sysconfig.get_path("scripts")) / name)


def notebooks() -> list[Path]:
    found = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert found, "there are no notebooks"
    return found


def test_every_notebook_is_clean() -> None:
    assert notebook_lint.main([str(path) for path in notebooks()]) == 0


def test_every_notebook_and_lab_is_listed() -> None:
    course = manifest.read(ROOT)
    assert [item.path.name for item in course.notebooks] == [path.name for path in notebooks()]
    folders = sorted(
        path.name for path in (ROOT / "labs").iterdir() if re.match(r"\d\d-", path.name)
    )
    assert [lab.slug for lab in course.labs] == folders


def test_titles_of_notebooks_are_those_of_the_manifest() -> None:
    import json

    for item in manifest.read(ROOT).notebooks:
        first = "".join(json.loads(item.path.read_text())["cells"][0]["source"]).splitlines()[0]
        assert first == f"# {item.slug[:2]} · {item.title}"


@pytest.mark.parametrize("lab", manifest.read(ROOT).labs, ids=lambda lab: lab.slug)
def test_every_lab_has_checks_that_say_where_to_look(lab: manifest.Lab) -> None:
    found = checks.load(lab.checks)
    assert all(item.action.strip() for item in found)
    assert steps.manifest_files(lab.solution) or steps.commands(lab.solution / steps.STEPS)


def test_pictures_that_notebooks_show_are_there() -> None:
    shown = [
        (path, name)
        for path in notebooks()
        for name in re.findall(r"\]\((\.\./img/[^)]+)\)", path.read_text())
    ]
    assert shown
    for path, name in shown:
        assert (path.parent / name).resolve().is_file(), f"{path.name} shows {name}"
        assert (path.parent / name).with_suffix(".svg").resolve().is_file(), (
            f"{name} has no source beside it"
        )


def test_links_between_notebooks_lead_somewhere() -> None:
    links = [
        (path, name)
        for path in notebooks()
        for name in re.findall(r"\]\(([\w-]+\.ipynb)\)", path.read_text())
    ]
    assert links
    assert [(path.name, name) for path, name in links if not (path.parent / name).is_file()] == []
