"""Our PromQL against the real Prometheus, on the same samples: every dashboard query and 500 generated ones."""

from __future__ import annotations

import contextlib
import json
import math
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meshcourse.embedded.addons.grafana import dashboards, frames
from meshcourse.embedded.addons.prometheus import tsdb
from meshcourse.embedded.addons.prometheus.promql import engine
from meshcourse.embedded.addons.prometheus.promql.values import QueryError
from tests.unit.addons import promql_cases as cases

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="needs prometheus and promtool on PATH (Debian: apt-get install prometheus)",
)

END = cases.START + cases.SCRAPES * cases.SCRAPE
GENERATED = 500


class Referee:
    """A real Prometheus serving the samples."""

    def __init__(self, url: str, version: int) -> None:
        self.url = url
        self.version = version

    def ask(self, path: str, **params: object) -> dict[str, Any]:
        data = urllib.parse.urlencode(params).encode()
        try:
            with urllib.request.urlopen(f"{self.url}{path}", data, timeout=20) as answer:
                return json.load(answer)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)  # type: ignore[no-any-return]


def openmetrics(series: cases.SeriesSet) -> str:
    """The samples in the OpenMetrics text format that promtool imports (seconds)."""
    by_name: dict[str, list[str]] = {}
    for labels, samples in series:
        name = labels["__name__"]
        inner = ",".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
        lines = by_name.setdefault(name, [f"# TYPE {name} unknown"])
        lines += [f"{name}{{{inner}}} {value!r} {at / 1000:.3f}" for at, value in samples]
    text = "\n".join(line for lines in by_name.values() for line in lines)
    return (
        re.sub(r"} (nan|inf)", lambda m: "} NaN" if m[1] == "nan" else "} +Inf", text) + "\n# EOF\n"
    )


@pytest.fixture(scope="module")
def samples() -> cases.SeriesSet:
    return cases.mesh_samples()


@pytest.fixture(scope="module")
def ours(samples: cases.SeriesSet) -> tsdb.Database:
    database = tsdb.Database()
    for labels, points in samples:
        database.load(labels, points)
    return database


@pytest.fixture(scope="module")
def referee(
    samples: cases.SeriesSet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Referee]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "samples.txt").write_text(openmetrics(samples))
    (folder / "prometheus.yml").write_text("global: {}\n")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = subprocess.run(["prometheus", "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"version (\d+)\.", told.stdout + told.stderr)
    assert version
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
            ],
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield _ready(Referee(f"http://127.0.0.1:{port}", int(version[1])), process, folder / "log")
    finally:
        process.terminate()
        process.wait(20)


def _ready(referee: Referee, process: subprocess.Popen[bytes], log: Path) -> Referee:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{referee.url}/-/ready", timeout=2),
        ):
            return referee
        time.sleep(0.05)
    raise AssertionError(f"prometheus did not become ready:\n{log.read_text()}")


Points = dict[tuple[tuple[str, str], ...], dict[int, float]]


def theirs(referee: Referee, query: str, start: int, end: int, step: int) -> Points | str:
    answer = referee.ask(
        "/api/v1/query_range", query=query, start=start / 1000, end=end / 1000, step=step / 1000
    )
    if answer["status"] != "success":
        return str(answer["error"])
    return {
        tuple(sorted(row["metric"].items())): {
            round(at * 1000): float(v) for at, v in row["values"]
        }
        for row in answer["data"]["result"]
    }


def mine(
    database: tsdb.Database, query: str, start: int, end: int, step: int, *, old: bool
) -> Points | str:
    try:
        rows = engine.over(database, query, start, end, step, old=old)
    except QueryError as error:
        return str(error)
    steps = np.arange(start, end + 1, step)
    return {
        row.labels: {int(steps[i]): float(row.values[i]) for i in np.flatnonzero(row.present)}
        for row in rows
        if row.present.any()
    }


def close(left: float, right: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)


def difference(a: Points | str, b: Points | str) -> str:
    """The first difference in words; "" if there is none. Both failing counts as agreement."""
    if isinstance(a, str) or isinstance(b, str):
        return (
            ""
            if isinstance(a, str) and isinstance(b, str)
            else f"ours {str(a)[:200]} | theirs {str(b)[:200]}"
        )
    if a.keys() != b.keys():
        return f"only ours {list(a.keys() - b.keys())[:2]} | only theirs {list(b.keys() - a.keys())[:2]}"
    for labels, points in a.items():
        other = b[labels]
        if points.keys() != other.keys():
            return f"{labels}: steps differ: {sorted(points.keys() ^ other.keys())[:3]}"
        for at, value in points.items():
            if not close(value, other[at]):
                return f"{labels} at {at}: ours {value!r}, theirs {other[at]!r}"
    return ""


def test_the_comparison_notices_differences() -> None:
    a: Points = {(("x", "1"),): {1: 1.0, 2: float("nan")}}
    assert difference(a, {(("x", "1"),): {1: 1.0, 2: float("nan")}}) == ""
    assert "ours 1.0, theirs 1.1" in difference(a, {(("x", "1"),): {1: 1.1, 2: float("nan")}})
    assert "steps differ" in difference(a, {(("x", "1"),): {1: 1.0}})
    assert "only ours" in difference(a, {})
    assert "theirs no" in difference(a, "no")


@pytest.mark.parametrize("query", cases.DASHBOARD)
def test_every_dashboard_query(referee: Referee, ours: tsdb.Database, query: str) -> None:
    window = (cases.START + 77, END, 30_000)
    answer = theirs(referee, query, *window)
    assert isinstance(answer, dict), answer
    assert answer, "the samples give this query nothing to compare"
    assert difference(mine(ours, query, *window, old=referee.version < 3), answer) == ""


def dashboard_expressions() -> list[str]:
    """Every query of every dashboard, for all services and workloads."""
    every = {
        "service": [".*"],
        "namespace": [".*"],
        "workload": [".*"],
        "qrep": ["destination", "source"],
    }
    found = {
        frames.substituted(target["expr"], every)
        for board in dashboards.ALL.values()
        for panel in board["panels"]
        for target in panel.get("targets", [])
    }
    return sorted(found)


def test_our_own_dashboards(referee: Referee, ours: tsdb.Database) -> None:
    window = (cases.START + 77, END, 30_000)
    with_data = 0
    for query in dashboard_expressions():
        answer = theirs(referee, query, *window)
        assert isinstance(answer, dict), f"{query}: {answer}"
        assert difference(mine(ours, query, *window, old=referee.version < 3), answer) == "", query
        with_data += bool(answer)
    assert with_data >= 25  # the samples have no TCP and no control plane


def test_generated_queries(referee: Referee, ours: tsdb.Database) -> None:
    """Counted are those that find data: equality of nothing with nothing shows little."""
    window = (cases.START + 300_077, END - 200_000, 47_000)
    failures, asked, with_data = [], 0, 0
    for query in cases.generated(3 * GENERATED):
        answer = theirs(referee, query, *window)
        asked += 1
        with_data += bool(answer) and not isinstance(answer, str)
        found = difference(mine(ours, query, *window, old=referee.version < 3), answer)
        if found:
            failures.append(f"{query}\n    {found}")
        if with_data == GENERATED:
            break
    assert not failures, f"{len(failures)} of {asked}:\n" + "\n".join(failures[:10])
    assert with_data == GENERATED
