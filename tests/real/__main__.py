"""``python -m tests.real --out build [--against REPORT]``: run it all, write the report, fail if something failed."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from meshcourse import course
from meshcourse.cluster import progress, providers, release
from meshcourse.lab import execute, manifest, proof
from tests.real import report

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.real", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("--against", type=Path)
    parser.add_argument("--only", default="", help="what notebooks and labs have in their name")
    options = parser.parse_args()
    taught = _chosen(manifest.read(ROOT), options.only)
    os.environ.setdefault(providers.NAME_VARIABLE, "prove")  # a learner's own cluster is left alone
    try:
        outcomes = [*_notebooks(taught, options.out), *_labs(taught)]
        with contextlib.closing(course.open()) as mesh:
            version = str(mesh.api.get("/version").get("gitVersion", "?"))
            found = report.Report(mesh.capabilities.provider, release.wanted(), version, outcomes)
    finally:
        _away(options.out)
    before = report.read(options.against) if options.against else None
    report.write(found, options.out / "report.json")
    _tell(report.page(found, before), options.out / "report.md")
    return 1 if (report.worse(before, found) if before else found.failed) else 0


def _chosen(taught: manifest.Course, part: str) -> manifest.Course:
    notebooks = tuple(item for item in taught.notebooks if part in item.slug)
    labs = tuple(lab for lab in taught.labs if part in lab.slug)
    return dataclasses.replace(taught, notebooks=notebooks, labs=labs)


def _away(out: Path) -> None:
    """The logs of a kind cluster are kept; what the course made goes."""
    provider = providers.choose()
    if provider.capabilities.provider == "kind":
        command = ["kind", "export", "logs", str(out / "logs"), "--name", provider.name]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    provider.stop(progress.auto(), delete=provider.capabilities.owned)


def _notebooks(taught: manifest.Course, out: Path) -> Iterator[report.Outcome]:
    for item in taught.notebooks:
        print(f"── {item.slug}", file=sys.stderr)
        done = execute.run(item.path, out, progress_bar=False)
        yield report.Outcome(f"papermill {item.slug}", done.seconds, done.error)
        yield _timed(f"nbval {item.slug}", lambda path=item.path: _nbval(path))  # type: ignore[misc]


def _nbval(path: Path) -> str:
    """What nbval found: every cell runs once more, and outputs that are kept come out as they are."""
    command = [
        sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider",
        "--nbval-lax", "--nbval-cell-timeout", str(execute.CELL_TIMEOUT), "--nbval-kernel-name", "python3", str(path),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout[-600:]


def _labs(taught: manifest.Course) -> Iterator[report.Outcome]:
    """Each lab's start must fail its check, its solution pass, its clean-up leave nothing."""
    for lab in taught.labs:
        print(f"── lab {lab.slug}", file=sys.stderr)
        yield _timed(f"lab {lab.slug}", lambda lab=lab: _proved(lab))  # type: ignore[misc]


def _proved(lab: manifest.Lab) -> str:
    with contextlib.closing(course.open()) as mesh:
        found = proof.prove(lab, mesh, course.kubectl_in)
    return "" if found.ok else str(found)


def _timed(what: str, run: Callable[[], str]) -> report.Outcome:
    started = time.monotonic()
    try:
        error = run()
    except Exception as problem:  # one that breaks must not hide what becomes of the others
        error = f"{type(problem).__name__}: {problem}"
    return report.Outcome(what, time.monotonic() - started, error)


def _tell(text: str, path: Path) -> None:
    """To the terminal, a file, and the page that GitHub shows of a job."""
    print(text)
    path.write_text(text, encoding="utf-8")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(summary, "a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
