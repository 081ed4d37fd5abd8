"""Every notebook from top to bottom, twice in a row on one cluster: first by papermill, then by nbval.

A notebook that ran is looked at as well: a cell that shows a failed request has not shown what it promised.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.daemon import launcher
from meshcourse.lab import execute, manifest

ROOT = Path(__file__).parents[2]
NAME = "notebooks"
NOTEBOOKS = manifest.read(ROOT).notebooks
BUILD = ROOT / "build"


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    """The notebooks start it themselves; whatever happens, it is gone afterwards."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MESHCOURSE_NAME", NAME)
    yield
    patch.undo()
    launcher.down(NAME, delete=True)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.slug)
def test_runs_from_top_to_bottom(notebook: manifest.Notebook) -> None:
    outcome = execute.run(notebook.path, BUILD, progress_bar=False)
    assert not outcome.error
    texts = outputs(BUILD / "notebooks" / notebook.path.name)
    assert texts
    for promise in PROMISES[notebook.slug]:
        assert any(re.search(promise, text) for text in texts), promise
    assert (BUILD / "html" / f"{notebook.slug}.html").stat().st_size > 100_000


#: What a learner must have seen, besides an absence of errors.
PROMISES: dict[str, list[str]] = {
    "00-start-here": [
        r"✓  Envoy",
        r"control-plane",
        r"stand-in",
        r"doesn't have a resource type",
        r"not yet \(0 of 2",
    ],
    "01-what-is-a-mesh": [
        r"8 Envoys in the data plane",
        r"productpage's Envoy → details",
        r"100 requests .* none failed",
        r"(299|300|301) requests in .* none failed",  # while istiod was killed
        r'pod "istiod-.*" deleted',
    ],
    "02-install-istio": [
        r"doesn't have a resource type",
        r"✔ Istiod installed",
        r"data plane version: .* \(2 proxies\)",
        r"denied the request",
        r"curl-\S+ +1/1",
        r"curl-\S+ +2/2",
    ],
    "03-bookinfo": [
        r"reviews-v3-\S+ +1/1",
        r"reviews-v3-\S+ +2/2",
        r"bookinfo-gateway created",
        r"100 requests .* none failed",
        r"404 +20 +100.0%",
        r"600 requests .* none failed",
        r"v3: \d\d\.\d% seen, 33\.3% expected",
    ],
}


def test_every_notebook_promises_something() -> None:
    assert set(PROMISES) == {notebook.slug for notebook in NOTEBOOKS}
    assert all(PROMISES.values())


@pytest.mark.timeout(600)
def test_runs_a_second_time_and_prints_what_is_kept_in_the_repository(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", str(tmp_path / "pytest.ini"), "-p", "no:cacheprovider"),
            *("--nbval-lax", "--nbval-cell-timeout", str(execute.CELL_TIMEOUT), "--nbval-kernel-name", "python3"),
            *(str(notebook.path) for notebook in NOTEBOOKS),
        ],
        cwd=ROOT, env=os.environ | {"MESHCOURSE_NAME": NAME}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) == sum(len(code_cells(notebook.path)) for notebook in NOTEBOOKS)


def outputs(path: Path) -> list[str]:
    """The text of every output of an executed notebook."""
    found = []
    for cell in code_cells(path):
        for output in cell["outputs"]:
            text = output.get("text") or output.get("data", {}).get("text/plain") or ""
            found.append("".join(text))
    return found


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]
