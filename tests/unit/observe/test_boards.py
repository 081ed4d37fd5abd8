"""Dashboard definitions: panels, names, variables with the values that Grafana would show first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.addons.grafana import dashboards
from meshcourse.observe import boards
from meshcourse.observe.prometheus import Matrix, Prometheus, Sample, Vector
from meshcourse.observe.web import AddonError


class Answering(Prometheus):
    """Knows two services, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(lambda: "http://nowhere")
        self.asked: list[str] = []

    def query(self, query: str, at: float | None = None) -> Vector:
        self.asked.append(query)
        hosts = ("web.default.svc", "db.default.svc", "unknown")
        return Vector(query, tuple(Sample({"destination_service": host}, 1.0) for host in hosts))

    def range(self, query: str, **_how: Any) -> Matrix:
        self.asked.append(query)
        return Matrix(query, 0.0, 1.0, ())


@pytest.mark.parametrize("definition", dashboards.ALL.values(), ids=list(dashboards.ALL))
def test_the_courses_dashboards_are_understood(definition: dict[str, Any]) -> None:
    board, prometheus = boards.read(definition), Answering()
    asker = boards.Asker(prometheus)
    values = asker.variables(board, {})
    assert {"stat", "timeseries", "table", "heatmap"} >= {panel.kind for panel in board.panels}
    for panel in board.panels:
        filled = panel.filled(values)
        answers = asker.answers(filled, 5.0)
        assert len(answers.now or answers.over_time) == len(panel.targets)
    assert not [query for query in prometheus.asked if "$" in query]


def test_variables_take_what_is_there_and_what_is_chosen() -> None:
    board = boards.read(dashboards.ALL["service"])
    asker = boards.Asker(Answering())
    assert asker.variables(board, {}) == {"service": ["db.default.svc"], "qrep": ["destination"]}
    chosen = asker.variables(board, {"service": "x", "qrep": ["source", "destination"]})
    assert boards.filled("a{s=~'$service', r=~'${qrep}'} $unknown", chosen) == (
        "a{s=~'x', r=~'(source|destination)'} $unknown"
    )
    with pytest.raises(AddonError, match="no variable servce"):
        asker.variables(board, {"servce": "x"})


def test_names_of_lines_and_columns() -> None:
    board = boards.read(dashboards.ALL["mesh"])
    columns = [target.legend for target in board.panel("HTTP and gRPC workloads").targets]
    assert columns[0] == "Requests/s"
    assert columns[-1] == "Success rate"
    assert boards.legend("{{a}}: {{ b }}", {"a": "1", "b": "2"}) == "1: 2"
    assert boards.legend("", {"a": "1"}) == "a=1"
    with pytest.raises(AddonError, match="no panel"):
        board.panel("nonsense")


def test_a_definition_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mesh.json"
    path.write_text(json.dumps(dashboards.ALL["mesh"]))
    assert boards.read(path) == boards.read(str(path)) == boards.read(dashboards.ALL["mesh"])
    path.write_text("[]")
    for wrong in (path, tmp_path / "missing.json", {"uid": "x"}):
        with pytest.raises(AddonError, match="definition"):
            boards.read(wrong)
