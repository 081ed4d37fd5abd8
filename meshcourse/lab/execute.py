"""Executes notebooks from top to bottom and writes what came out: executed notebooks, HTML pages, one index.

``python -m meshcourse.lab.execute --out build NOTEBOOK…`` runs each with papermill, shows progress cell by cell, goes
on after a failure, and fails at the end if any notebook failed or if there was none.
"""

from __future__ import annotations

import argparse
import base64
import html
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: A cell that takes longer has hung (seconds); on a real cluster it may wait for images.
CELL_TIMEOUT = int(os.environ.get("MESHCOURSE_CELL_TIMEOUT", "180"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one notebook.

    :param seconds: how long it took.
    :param error: what failed, "" if nothing did.
    """

    name: str
    seconds: float
    error: str = ""


def run(notebook: Path, out: Path, *, progress_bar: bool = True) -> Outcome:
    """Execute one notebook in its own folder; the result is in ``out/notebooks`` and ``out/html``."""
    import papermill

    target = out / "notebooks" / notebook.name
    target.parent.mkdir(parents=True, exist_ok=True)
    started, error = time.monotonic(), ""
    try:
        papermill.execute_notebook(
            str(notebook),
            str(target),
            cwd=str(notebook.parent),
            kernel_name="python3",
            progress_bar=progress_bar,
            execution_timeout=CELL_TIMEOUT,
        )
    except papermill.PapermillExecutionError as problem:
        error = f"cell {problem.cell_index + 1}: {problem.ename}: {problem.evalue}"
    except Exception as problem:  # a dead kernel, a cell that hung: the other notebooks still run
        error = f"{type(problem).__name__}: {problem}"
    if target.exists():
        _write_html(target, notebook.parent, out / "html" / f"{notebook.stem}.html")
    return Outcome(notebook.stem, time.monotonic() - started, error)


def index(outcomes: Sequence[Outcome]) -> str:
    """A page that links every executed notebook and says what failed."""
    rows = "".join(
        f"<tr><td><a href='html/{outcome.name}.html'>{html.escape(outcome.name)}</a></td>"
        f"<td>{outcome.seconds:.1f} s</td><td>{html.escape(outcome.error) or 'ok'}</td></tr>"
        for outcome in outcomes
    )
    return (
        "<!doctype html><meta charset='utf-8'><title>meshcourse</title>"
        "<style>body{font:16px system-ui;margin:3em}td{padding:.3em 1em}</style>"
        f"<h1>The course, executed</h1><table>{rows}</table>"
    )


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="meshcourse.lab.execute", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("notebooks", nargs="*", type=Path)
    options = parser.parse_args(list(arguments))
    if not options.notebooks:
        print(
            "no notebooks to execute: the pattern that chose them matches nothing", file=sys.stderr
        )
        return 2
    outcomes = []
    for notebook in options.notebooks:
        print(f"── {notebook.stem}", file=sys.stderr)
        outcomes.append(run(notebook, options.out))
    (options.out / "index.html").write_text(index(outcomes), encoding="utf-8")
    for outcome in outcomes:
        print(f"{outcome.name:<24} {outcome.seconds:6.1f} s  {outcome.error or 'ok'}")
    print(f"executed notebooks: {options.out / 'index.html'}")
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _write_html(executed: Path, folder: Path, target: Path) -> None:
    """One page with everything in it; pictures are looked up beside the original notebook."""
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(embed_images=True)
    exporter.require_js_url = exporter.mathjax_url = ""  # offline: nothing is fetched
    notebook = _stills(nbformat.read(executed, as_version=4))
    where = {"metadata": {"path": str(folder), "name": executed.stem}}
    body, _resources = exporter.from_notebook_node(notebook, resources=where)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_with_pictures(body, folder), encoding="utf-8")


def _with_pictures(page: str, folder: Path) -> str:
    """Pictures in the page itself. (nbconvert embeds none from outside of the notebook's folder.)"""

    def embed(match: re.Match[str]) -> str:
        path = folder / match[1]
        if not path.is_file():
            return match[0]
        return f'src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"'

    return re.sub(r'src="(\.\./img/[\w.-]+\.png)"', embed, page)


def _stills(notebook: Any) -> Any:
    """Live views as the pictures they left: their scripts would have to be fetched, and nothing would answer them."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output["data"].pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
