"""Elastic tab stops: text with tabs becomes columns, as Go's ``text/tabwriter`` lays them out. Pure.

A column is a run of neighbouring lines that have a cell (text ended by a tab) at the same place; it is as wide as its
widest cell. What follows a line's last tab is not part of a column.
"""

from __future__ import annotations

from collections.abc import Sequence


def align(text: str, *, padding: int = 2, minimum: int = 0) -> str:
    """`text` with its tabs turned into spaces."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[list[int]] = [[0] * (len(cells) - 1) for cells in lines]
    _measure(lines, widths, 0, len(lines), 0, padding, minimum)
    return "\n".join(
        "".join(cell.ljust(width) for cell, width in zip(cells, own, strict=False)) + cells[-1]
        for cells, own in zip(lines, widths, strict=True)
    )


def _measure(
    lines: Sequence[Sequence[str]],
    widths: list[list[int]],
    first: int,
    last: int,
    column: int,
    padding: int,
    minimum: int,
) -> None:
    """Fill in the widths of `column` for the lines from `first` up to `last`, block by block."""
    at = first
    while at < last:
        if len(lines[at]) - 1 <= column:
            at += 1
            continue
        end = at
        while end < last and len(lines[end]) - 1 > column:
            end += 1
        cells = [lines[i][column] for i in range(at, end)]
        width = max(minimum, max(len(cell) for cell in cells) + padding)
        if all(cell == "" for cell in cells):
            width = 0 if padding == 0 else width
        for i in range(at, end):
            widths[i][column] = width
        _measure(lines, widths, at, end, column + 1, padding, minimum)
        at = end
