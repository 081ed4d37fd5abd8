"""A client of Grafana's HTTP API: dashboards, their panels, and the values that a panel shows.

Source: grafana.com, "HTTP API" (search, dashboard, data source query).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meshcourse.observe import web
from meshcourse.observe.web import AddonError


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a dashboard.

    :param queries: its PromQL, as written (with ``$variables``).
    """

    title: str
    kind: str
    queries: tuple[str, ...]
    source: str


class Grafana:
    """One Grafana.

    :param base: its URL, looked up again for each question.
    """

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base

    def dashboards(self) -> dict[str, str]:
        """Title → uid of every dashboard."""
        found = web.get("Grafana", f"{self._base()}/api/search", {"type": "dash-db"})
        return {item["title"]: item["uid"] for item in found}

    def definition(self, uid: str) -> Any:
        """A dashboard's JSON."""
        return web.get("Grafana", f"{self._base()}/api/dashboards/uid/{uid}")["dashboard"]

    def panels(self, uid: str) -> list[Panel]:
        """The panels of a dashboard that show something."""
        board = self.definition(uid)
        every = [inner for panel in board["panels"] for inner in (panel, *panel.get("panels", []))]
        return [_panel(panel) for panel in every if panel.get("targets")]

    def panel(self, uid: str, title: str) -> Panel:
        """A panel by its title.

        :raises AddonError: if there is none.
        """
        found = self.panels(uid)
        for panel in found:
            if panel.title == title:
                return panel
        raise AddonError(
            f'dashboard {uid} has no panel "{title}"',
            remedy="It has: " + ", ".join(sorted({panel.title for panel in found})) + ".",
        )

    def value(self, panel: Panel, at: float) -> float:
        """What the panel's first query shows at a time (seconds since the epoch), asked through Grafana.

        :raises AddonError: in Grafana's words.
        """
        moment = str(round(at * 1000))
        query = {
            "refId": "A",
            "datasource": {"uid": panel.source, "type": "prometheus"},
            "expr": panel.queries[0],
            "instant": True,
            "range": False,
            "intervalMs": 1000,
            "maxDataPoints": 1,
        }
        body = {"queries": [query], "from": moment, "to": moment}
        answer = web.post("Grafana", f"{self._base()}/api/ds/query", body)
        return _last(answer["results"]["A"])

    def url(self, uid: str) -> str:
        """The page of a dashboard."""
        return f"{self._base()}/d/{uid}"


def _panel(panel: Any) -> Panel:
    targets = panel["targets"]
    source = (targets[0].get("datasource") or panel.get("datasource") or {}).get("uid", "")
    queries = tuple(target.get("expr", "") for target in targets)
    shown = source if source and not source.startswith("$") else "prometheus"
    return Panel(panel.get("title", ""), panel.get("type", ""), queries, shown)


def _last(result: Any) -> float:
    if result.get("error"):
        raise AddonError(f"Grafana: {result['error']}")
    for frame in result.get("frames") or []:
        columns = frame["data"]["values"]
        if columns and columns[-1]:
            return float(columns[-1][-1])
    return 0.0
