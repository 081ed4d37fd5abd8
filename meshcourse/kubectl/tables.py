"""Columns as kubectl prints them: cells padded to their column, the last one not.

Source: kubectl's tab writer settings (minimal width 6, padding 3 for ``get``; 0 and 2 for ``describe``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def render(rows: Sequence[Sequence[str]], *, padding: int = 3, minimum: int = 6) -> str:
    """Rows of cells, each column as wide as its widest cell; every line ends with a newline."""
    if not rows:
        return ""
    last = max(len(row) for row in rows) - 1
    widths = [
        max(minimum, max(len(row[i]) for row in rows if len(row) > i) + padding)
        for i in range(last)
    ]
    lines = []
    for row in rows:
        *head, tail = row
        lines.append("".join(cell.ljust(widths[i]) for i, cell in enumerate(head)) + tail)
    return "\n".join(lines) + "\n"


def from_server(
    table: dict[str, Any],
    *,
    wide: bool = False,
    namespaced: bool = False,
    prefix: str = "",
    headers: bool = True,
    labels: bool = False,
    columns: Sequence[str] = (),
) -> list[list[str]]:
    """The rows of a server's Table.

    :param namespaced: put the namespace first (``-A``).
    :param prefix: ``pod/`` before names, where several kinds are printed.
    :param labels: all labels in a last column (``--show-labels``).
    :param columns: labels that get a column each (``-L app``).
    """
    shown = [
        index
        for index, column in enumerate(table["columnDefinitions"])
        if wide or column.get("priority", 0) == 0
    ]
    names = [table["columnDefinitions"][index]["name"].upper() for index in shown]
    extra = [column.split("/")[-1].upper() for column in columns] + (["LABELS"] if labels else [])
    rows = [(["NAMESPACE"] if namespaced else []) + names + extra] if headers else []
    for row in table.get("rows") or []:
        meta = (row.get("object") or {}).get("metadata") or {}
        cells = [_cell(row["cells"][index]) for index in shown]
        cells[0] = prefix + cells[0]
        rows.append(
            ([meta.get("namespace", "")] if namespaced else [])
            + cells
            + _labels(meta.get("labels") or {}, columns, labels)
        )
    return rows


def _labels(found: dict[str, str], columns: Sequence[str], everything: bool) -> list[str]:
    cells = [found.get(column, "") for column in columns]
    if everything:
        cells.append(",".join(f"{k}={v}" for k, v in sorted(found.items())) or "<none>")
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return "<none>"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
