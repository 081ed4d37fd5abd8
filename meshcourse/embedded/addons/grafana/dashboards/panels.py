"""Building blocks of dashboards: panels on a 24-column grid, variables, the dashboard around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "prometheus"}
Queries = Sequence[tuple[str, str]]


def _targets(queries: Queries, *, instant: bool = False, table: bool = False) -> list[Json]:
    return [
        {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": expression,
            "legendFormat": legend,
            "instant": instant,
            "range": not instant,
            "format": "table" if table else "time_series",
        }
        for index, (expression, legend) in enumerate(queries)
    ]


def _panel(kind: str, title: str, unit: str, size: tuple[int, int], description: str) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": size[0], "h": size[1]},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "options": {},
    }


def stat(title: str, expression: str, unit: str, *, width: int = 6, description: str = "") -> Json:
    """One number."""
    panel = _panel("stat", title, unit, (width, 4), description)
    return {**panel, "targets": _targets([(expression, "")], instant=True)}


def series(
    title: str, queries: Queries, unit: str, *, width: int = 12, description: str = ""
) -> Json:
    """Lines over time; queries are (expression, legend)."""
    return {
        **_panel("timeseries", title, unit, (width, 8), description),
        "targets": _targets(queries),
    }


def heatmap(
    title: str, expression: str, unit: str, *, width: int = 12, description: str = ""
) -> Json:
    """Buckets over time; the expression groups by ``le``."""
    panel = _panel("heatmap", title, unit, (width, 8), description)
    return {**panel, "targets": _targets([(expression, "{{le}}")])}


def table(title: str, queries: Queries, *, width: int = 24, description: str = "") -> Json:
    """Rows by label, a column for each query, joined by the labels that they share."""
    panel = _panel("table", title, "short", (width, 9), description)
    targets = _targets([(expression, "") for expression, _ in queries], instant=True, table=True)
    renames = {
        f"Value #{target['refId']}": name
        for target, (_, name) in zip(targets, queries, strict=True)
    }
    organize = {"excludeByName": {"Time": True}, "renameByName": renames}
    return {
        **panel,
        "targets": targets,
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": organize},
        ],
    }


def row(title: str) -> Json:
    return {
        "type": "row",
        "title": title,
        "gridPos": {"w": 24, "h": 1},
        "collapsed": False,
        "panels": [],
    }


def text(title: str, markdown: str) -> Json:
    panel = _panel("text", title, "", (24, 3), "")
    return {**panel, "options": {"mode": "markdown", "content": markdown}}


def variable(name: str, label: str, query: str, regex: str, *, several: bool = False) -> Json:
    """A variable filled from the labels of a query's result."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": f"query_result({query})", "refId": name},
        "regex": regex,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
    }


def choice(name: str, label: str, values: Sequence[str]) -> Json:
    """A variable with fixed values, the first of them selected."""
    options = [{"text": one, "value": one, "selected": one == values[0]} for one in values]
    # Not all: source and destination report the same requests, and sums would count them twice.
    current = {"text": [values[0]], "value": [values[0]]}
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "multi": True,
        "includeAll": False,
        "options": options,
        "current": current,
    }


def dashboard(uid: str, title: str, panels: Sequence[Json], variables: Sequence[Json] = ()) -> Json:
    """Number the panels and lay them out from left to right, top to bottom."""
    x = y = height = 0
    placed = []
    for number, panel in enumerate(panels, start=1):
        size = panel["gridPos"]
        if x + size["w"] > 24:
            x, y, height = 0, y + height, 0
        placed.append({**panel, "id": number, "gridPos": {"x": x, "y": y, **size}})
        x, height = x + size["w"], max(height, size["h"])
    return {
        "uid": uid,
        "title": title,
        "tags": ["istio", "meshcourse"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "time": {"from": "now-15m", "to": "now"},
        "refresh": "5s",
        "templating": {"list": list(variables)},
        "panels": placed,
    }
