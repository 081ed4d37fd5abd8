from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from meshcourse.lab import notebook_lint

Cell = dict[str, Any]


def markdown(text: str, cell_id: str) -> Cell:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": [text]}


def code(text: str, cell_id: str, *tags: str, **more: Any) -> Cell:
    metadata = {"tags": list(tags)} if tags else {}
    basics = {"cell_type": "code", "id": cell_id, "metadata": metadata, "source": text}
    return {**basics, "outputs": [], "execution_count": None, **more}


OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["hello\n"]}
GOOD: dict[str, Any] = {
    "cells": [
        markdown("# 03 · Bookinfo\n\ntext", "a"),
        code("import x", "b", "setup"),
        markdown("prose", "c"),
        code("x", "d", notebook_lint.KEEP, outputs=[OUTPUT], execution_count=1),
    ],
    "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def rules(change: Any, name: str = "03-bookinfo.ipynb") -> list[tuple[int, str]]:
    notebook = copy.deepcopy(GOOD)
    change(notebook)
    return [(problem.cell, problem.rule) for problem in notebook_lint.check(notebook, name)]


def test_a_clean_notebook_has_no_problems() -> None:
    assert rules(lambda notebook: None) == []


def put(cell: int, **fields: Any) -> Any:
    return lambda notebook: notebook["cells"][cell].update(fields)


@pytest.mark.parametrize(
    ("change", "cell", "rule"),
    [
        (put(1, outputs=[OUTPUT]), 2, "outputs (only"),
        (put(3, outputs=[]), 4, "no output to compare"),
        (put(1, execution_count=3), 2, "an execution count"),
        (put(3, execution_count=None), 4, "an execution count"),
        (
            put(1, metadata={"tags": ["setup"], "collapsed": True}),
            2,
            "metadata not on the list: collapsed",
        ),
        (put(1, metadata={"tags": ["setup", "mine"]}), 2, "tags not on the list: mine"),
        (put(1, source="\n".join("abcdefghijk")), 2, "11 lines of code"),
        (put(2, source=["  "]), 3, "empty"),
        (put(2, source=["  "]), 4, "no prose before this code"),
        (put(0, source=["# Bookinfo"]), 0, "not a title"),
        (put(1, metadata={}), 0, "no cell tagged `setup`"),
        (put(3, id="a"), 0, "without an id of their own"),
        (lambda nb: nb["cells"].pop(2), 3, "no prose before this code"),
        (lambda nb: nb["metadata"].update(widgets={}), 0, "metadata not on the list: widgets"),
        (lambda nb: nb.update(nbformat_minor=4), 0, "not nbformat 4.5"),
        (lambda nb: nb.update(cells=nb["cells"][:1]), 0, "no code at all"),
    ],
)
def test_each_rule_fails_on_a_notebook_that_breaks_it(change: Any, cell: int, rule: str) -> None:
    found = rules(change)
    assert any(at == cell and rule in text for at, text in found), found


def test_the_title_must_fit_the_files_name() -> None:
    assert any(
        "not a title" in rule for _cell, rule in rules(lambda notebook: None, "04-other.ipynb")
    )


def test_yaml_may_be_longer_than_code() -> None:
    assert rules(put(1, source="%%apply\n" + "a: b\n" * 20)) == []


def test_cleaning_removes_what_does_not_belong_and_keeps_what_is_compared() -> None:
    dirty = copy.deepcopy(GOOD)
    dirty["cells"][1].update(
        outputs=[OUTPUT], execution_count=7, metadata={"tags": ["setup"], "x": 1}
    )
    dirty["cells"][3]["outputs"] = [{**OUTPUT, "execution_count": 9}]
    dirty["metadata"]["widgets"] = {}
    cleaned = notebook_lint.clean(dirty)
    assert notebook_lint.check(cleaned, "03-bookinfo.ipynb") == []
    assert cleaned["cells"][3]["outputs"] == [{**OUTPUT, "execution_count": None}]


def test_an_empty_collection_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert notebook_lint.main([]) == 2
    assert notebook_lint.main(["--fix"]) == 2
    assert "no notebooks to check" in capsys.readouterr().err


def test_the_command_line_reports_and_fixes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dirty = copy.deepcopy(GOOD)
    dirty["cells"][1]["execution_count"] = 7
    path = tmp_path / "03-bookinfo.ipynb"
    path.write_text(json.dumps(dirty))
    assert notebook_lint.main([str(path)]) == 1
    assert "cell 2: an execution count" in capsys.readouterr().out
    assert notebook_lint.main(["--fix", str(path)]) == 0
    assert notebook_lint.main([str(path)]) == 0


def test_a_file_that_is_no_notebook_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.ipynb").write_text("not json")
    assert notebook_lint.main([str(tmp_path / "a.ipynb"), str(tmp_path / "none.ipynb")]) == 1
    assert capsys.readouterr().out.count("cannot be read") == 2
