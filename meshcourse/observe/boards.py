"""Dashboards as definitions: what a panel asks and how it shows it, with variables filled in. Pure but for `Asker`.

Source: grafana.com, "Dashboard JSON model".
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshcourse.observe.prometheus import Matrix, Prometheus, Vector
from meshcourse.observe.web import AddonError

Json = dict[str, Any]
#: Variable → its values; several become alternatives of a regular expression.
Variables = Mapping[str, Sequence[str]]
_VARIABLE = re.compile(r"\$(?:{(\w+)}|(\w+))")
_LABEL = re.compile(r"{{\s*(\w+)\s*}}")
_QUERY = re.compile(r"query_result\((.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """One query of a panel.

    :param legend: a line's name, with ``{{label}}``; a column's name in a table.
    """

    query: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    :param kind: ``timeseries``, ``heatmap``, ``stat``, ``table`` …
    :param unit: Grafana's name of it: ``reqps``, ``ms``, ``percentunit`` …
    """

    title: str
    kind: str
    unit: str
    targets: tuple[Target, ...]
    width: int = 24

    def filled(self, variables: Variables) -> Panel:
        """The panel with its variables replaced."""
        targets = tuple(
            Target(filled(target.query, variables), target.legend) for target in self.targets
        )
        return dataclasses.replace(self, title=filled(self.title, variables), targets=targets)


@dataclass(frozen=True)
class Board:
    """A dashboard: its panels in order, and its variables as they are defined."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    variables: tuple[Json, ...] = ()

    def panel(self, title: str) -> Panel:
        """A panel by its title.

        :raises AddonError: if there is none.
        """
        for panel in self.panels:
            if panel.title == title:
                return panel
        titles = ", ".join(panel.title for panel in self.panels)
        raise AddonError(
            f'dashboard {self.uid} has no panel "{title}"', remedy=f"It has: {titles}."
        )


def read(definition: Json | str | Path) -> Board:
    """A dashboard from its JSON, or from a file with it.

    :raises AddonError: if it is none.
    """
    if not isinstance(definition, dict):
        try:
            definition = json.loads(Path(definition).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AddonError(f"no dashboard definition: {error}") from error
    if not isinstance(definition, dict) or "panels" not in definition:
        raise AddonError("a dashboard definition is a JSON object with panels")
    return Board(
        str(definition.get("uid", "")),
        str(definition.get("title", "")),
        tuple(_panel(each) for each in _all_panels(definition["panels"])),
        tuple((definition.get("templating") or {}).get("list") or ()),
    )


def _all_panels(panels: Sequence[Json]) -> Iterator[Json]:
    for panel in panels:
        yield from (each for each in (panel, *panel.get("panels", ())) if each.get("targets"))


def _panel(panel: Json) -> Panel:
    names = _column_names(panel)
    targets = tuple(
        Target(each.get("expr", ""), names.get(each.get("refId", ""), each.get("legendFormat", "")))
        for each in panel["targets"]
    )
    unit = ((panel.get("fieldConfig") or {}).get("defaults") or {}).get("unit", "short")
    width = (panel.get("gridPos") or {}).get("w", 24)
    return Panel(panel.get("title", ""), panel.get("type", ""), unit, targets, int(width))


def _column_names(panel: Json) -> dict[str, str]:
    """What a table calls the values of its queries, by their id."""
    found: dict[str, str] = {}
    for each in panel.get("transformations") or ():
        renames = (each.get("options") or {}).get("renameByName") or {}
        found |= {name.removeprefix("Value #"): text for name, text in renames.items()}
    return found


def filled(text: str, variables: Variables) -> str:
    """``$name`` and ``${name}`` replaced; unknown names stay."""

    def value(match: re.Match[str]) -> str:
        values = variables.get(match[1] or match[2])
        if values is None:
            return match[0]
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"

    return _VARIABLE.sub(value, text)


def legend(template: str, labels: Mapping[str, str]) -> str:
    """A line's name from its labels."""
    if template and template != "__auto":
        return _LABEL.sub(lambda match: labels.get(match[1], ""), template)
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or "value"


@dataclass(frozen=True, slots=True)
class Answers:
    """An answer for each query of a panel: over time, or (numbers and tables) of now."""

    over_time: tuple[Matrix, ...] = ()
    now: tuple[Vector, ...] = ()


class Asker:
    """Answers the queries of panels.

    :param prometheus: where the samples are.
    """

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def variables(self, board: Board, chosen: Mapping[str, str | Sequence[str]]) -> Variables:
        """The values of a board's variables: those that are `chosen`, else what Grafana would show first.

        :raises AddonError: for a variable that the board does not have.
        """
        known = {each["name"] for each in board.variables}
        if unknown := set(chosen) - known:
            names = ", ".join(sorted(known)) or "none"
            raise AddonError(
                f"dashboard {board.uid} has no variable {', '.join(sorted(unknown))}",
                remedy=f"It has: {names}.",
            )
        found: dict[str, Sequence[str]] = {}
        for each in board.variables:
            given = chosen.get(each["name"])
            if given is None:
                found[each["name"]] = self._default(each, found)
            else:
                found[each["name"]] = [given] if isinstance(given, str) else list(given)
        return found

    def _default(self, variable: Json, known: Variables) -> Sequence[str]:
        current = (variable.get("current") or {}).get("value")
        if current:
            return [current] if isinstance(current, str) else list(current)
        query = variable.get("query")
        text = query.get("query", "") if isinstance(query, dict) else str(query or "")
        asked = _QUERY.fullmatch(text.strip())
        if asked is None:
            return [".*"]
        pattern = re.compile(str(variable.get("regex", "")).strip("/") or "(.*)")
        answer = self._prometheus.query(filled(asked[1], known))
        shown = (
            "{" + ",".join(f'{k}="{v}"' for k, v in each.labels.items()) + "}" for each in answer
        )
        values = {match[1] for each in shown if (match := pattern.search(each))} - {"", "unknown"}
        return [min(values)] if values else [".*"]

    def answers(self, panel: Panel, minutes: float) -> Answers:
        """What Prometheus says to a panel whose variables are filled in.

        :raises AddonError: in Prometheus' words, if it refuses a query.
        """
        queries = [target.query for target in panel.targets]
        if panel.kind in ("stat", "table"):
            return Answers(now=tuple(self._prometheus.query(each) for each in queries))
        return Answers(tuple(self._prometheus.range(each, minutes=minutes) for each in queries))
