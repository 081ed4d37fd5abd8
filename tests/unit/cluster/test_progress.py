from __future__ import annotations

import io
from typing import Any

import pytest

from meshcourse.cluster import progress


class Display:
    """Stands for IPython's display with a display id."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, data: dict[str, str], **options: Any) -> Display:
        assert options == {"raw": True, "display_id": True}
        self.shown.append(data["text/plain"])
        return self

    def update(self, data: dict[str, str], raw: bool) -> None:
        assert raw
        self.shown.append(data["text/plain"])


def test_a_notebook_keeps_finished_lines_and_loses_live_ones() -> None:
    display = Display()
    shown = progress.Progress(progress.Notebook(display))
    with shown.stage("first"):
        shown.note("working", now=True)
    with shown.stage("second"):
        pass
    assert "… first: working" in display.shown[1]
    lines = display.shown[-1].splitlines()
    assert [line.split()[1] for line in lines] == ["first", "second"]
    assert "…" not in display.shown[-1]


def test_a_log_has_one_line_per_stage() -> None:
    stream = io.StringIO()
    shown = progress.Progress(progress.Log(stream))
    with shown.stage("first"):
        shown.note("working", now=True)
    shown.finished("elsewhere", 1.25)
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["✓", "first", "0.0", "s"],
        ["✓", "elsewhere", "1.2", "s"],
    ]


def test_a_terminal_rewrites_its_last_line() -> None:
    stream = io.StringIO()
    shown = progress.Progress(progress.Terminal(stream))
    with shown.stage("first"):
        shown.note("x" * 500, now=True)
    last = stream.getvalue().split("\r\x1b[2K")[-1]
    assert last.startswith("✓ first")
    assert max(len(part) for part in stream.getvalue().split("\r\x1b[2K")) <= 81


def test_a_failed_stage_says_so_and_is_not_counted() -> None:
    stream = io.StringIO()
    shown = progress.Progress(progress.Log(stream))
    with pytest.raises(ValueError, match="boom"):
        with shown.stage("first"):
            raise ValueError("boom")
    assert stream.getvalue().startswith("✗ first")
    assert shown.stages == []


def test_stages_are_recorded_even_if_nobody_looks() -> None:
    shown = progress.silent()
    with shown.stage("a"):
        pass
    assert [stage.title for stage in shown.stages] == ["a"]
