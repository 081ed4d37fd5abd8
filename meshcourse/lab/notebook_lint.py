"""The lint of notebooks: clean, short, one idea a cell, prose before code.

``python -m meshcourse.lab.notebook_lint [--fix] FILE…`` fails if a rule is broken, and if there is nothing to check.
``--fix`` removes outputs, execution counts and metadata; what a person must write it cannot fix.

Rules: outputs only in cells tagged ``nbval-check-output`` (which nbval compares); no execution counts; metadata from
a short list; at most 10 lines a code cell; prose before each code cell; a title ``# NN · …`` that fits the file's name;
ids.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEEP = "nbval-check-output"
#: Tags a cell may have.
TAGS = {KEEP, "setup", "exercise"}
MAX_LINES = 10
_NOTEBOOK_METADATA = {"kernelspec", "language_info"}
_TITLE = re.compile(r"# (\d\d) · \S")
Notebook = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule. `cell` counts from 1; 0 is the notebook itself."""

    file: str
    cell: int
    rule: str

    def __str__(self) -> str:
        where = f"cell {self.cell}" if self.cell else "notebook"
        return f"{self.file}: {where}: {self.rule}"


def check(notebook: Notebook, file: str) -> list[Problem]:
    """Every broken rule of one notebook."""
    cells: list[dict[str, Any]] = notebook.get("cells") or []
    found = [Problem(file, 0, rule) for rule in _whole(notebook, cells, file)]
    for number, cell in enumerate(cells, 1):
        found += [Problem(file, number, rule) for rule in _cell(cell)]
        if cell["cell_type"] == "code" and (number == 1 or not _prose(cells[number - 2])):
            found.append(Problem(file, number, "no prose before this code"))
    return found


def clean(notebook: Notebook) -> Notebook:
    """The notebook without outputs, counts and metadata that do not belong into the repository."""
    cells = []
    for cell in notebook.get("cells") or []:
        tags = _tags(cell)
        kept = {**cell, "metadata": {"tags": sorted(tags)} if tags else {}}
        if cell["cell_type"] == "code":
            kept["execution_count"] = 1 if KEEP in tags else None
            kept["outputs"] = _kept_outputs(cell) if KEEP in tags else []
        cells.append(kept)
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def render(notebook: Notebook) -> str:
    """The notebook as it stands in the repository."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    fix = "--fix" in arguments
    files = [Path(item) for item in arguments if item != "--fix"]
    if not files:
        print("no notebooks to check: the pattern that chose them matches nothing", file=sys.stderr)
        return 2
    problems = [problem for file in files for problem in _file(file, fix)]
    for problem in problems:
        print(problem)
    print(f"{len(files)} notebooks, {len(problems)} problems")
    return 1 if problems else 0


def _file(file: Path, fix: bool) -> list[Problem]:
    try:
        notebook = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [Problem(str(file), 0, f"cannot be read: {error}")]
    if fix:
        notebook = clean(notebook)
        file.write_text(render(notebook), encoding="utf-8")
    return check(notebook, str(file))


def _whole(notebook: Notebook, cells: Sequence[dict[str, Any]], file: str) -> Iterator[str]:
    if not any(cell["cell_type"] == "code" for cell in cells):
        yield "no code at all"
    first = _text(cells[0]) if cells else ""
    title = _TITLE.match(first)
    if title is None or not Path(file).name.startswith(title[1]):
        yield "the first cell is not a title like `# 03 · Bookinfo` that fits the file's name"
    unknown = set(notebook.get("metadata") or {}) - _NOTEBOOK_METADATA
    if unknown:
        yield f"metadata not on the list: {', '.join(sorted(unknown))}"
    if (notebook.get("nbformat"), notebook.get("nbformat_minor")) != (4, 5):
        yield "not nbformat 4.5"
    if not any("setup" in _tags(cell) for cell in cells):
        yield "no cell tagged `setup`"
    ids = [cell.get("id") for cell in cells]
    if len(set(ids)) != len(ids) or None in ids:
        yield "cells without an id of their own"


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    tags = _tags(cell)
    if unknown := set(cell.get("metadata") or {}) - {"tags"}:
        yield f"metadata not on the list: {', '.join(sorted(unknown))}"
    if unknown := tags - TAGS:
        yield f"tags not on the list: {', '.join(sorted(unknown))}"
    if not _text(cell).strip():
        yield "empty"
    if cell["cell_type"] != "code":
        return
    if cell.get("execution_count") != (1 if KEEP in tags else None):
        yield "an execution count (nbval needs one where outputs are kept: 1)"
    if cell.get("outputs") and KEEP not in tags:
        yield f"outputs (only cells tagged `{KEEP}` keep theirs)"
    if KEEP in tags and not cell.get("outputs"):
        yield f"tagged `{KEEP}`, but there is no output to compare with"
    lines = _text(cell).rstrip().count("\n") + 1
    if lines > MAX_LINES and not _text(cell).startswith("%%apply"):
        yield f"{lines} lines of code, more than {MAX_LINES}"


def _kept_outputs(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Outputs without the counts that change from run to run."""
    kept = []
    for output in cell.get("outputs") or []:
        kept.append({**output, "execution_count": None} if "execution_count" in output else output)
    return kept


def _tags(cell: dict[str, Any]) -> set[str]:
    return set((cell.get("metadata") or {}).get("tags") or [])


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source") or ""
    return "".join(source) if isinstance(source, list) else str(source)


def _prose(cell: dict[str, Any]) -> bool:
    return bool(cell["cell_type"] == "markdown" and _text(cell).strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
