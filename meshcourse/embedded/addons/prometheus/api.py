"""Prometheus' HTTP API. Source: prometheus.io "HTTP API": envelope, parameters, error types, status codes."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import orjson
import promql_parser as grammar
from aiohttp import web

from meshcourse.embedded.addons.prometheus import tsdb
from meshcourse.embedded.addons.prometheus.promql import engine, selectors
from meshcourse.embedded.addons.prometheus.promql.values import QueryError, Row, Value
from meshcourse.embedded.addons.prometheus.scrape import Scraper, milliseconds

_UNITS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_STARTED = time.time()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def parse_time(text: str) -> int:
    """RFC 3339 or Unix seconds → milliseconds. :raises ValueError:"""
    try:
        return round(float(text) * 1000)
    except ValueError:
        return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


def parse_duration(text: str) -> int:
    """Seconds as a number, or ``1h30m`` → milliseconds. :raises ValueError:"""
    try:
        return round(float(text) * 1000)
    except ValueError:
        pass
    if not text or _DURATION.sub("", text):
        raise ValueError(f'cannot parse "{text}" to a valid duration')
    return sum(int(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(text))


def number(value: float) -> str:
    """A sample value as the API writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


class Api:
    """The routes over one database.

    :param scraper: what ``/api/v1/targets`` and ``metadata`` tell about.
    :param version: the Prometheus release whose API this imitates; the answer says that it is a stand-in.
    """

    def __init__(
        self, database: tsdb.Database, scraper: Scraper, config: str, version: str
    ) -> None:
        self._database = database
        self._scraper = scraper
        self._config = config
        self._version = version

    def routes(self) -> list[web.RouteDef]:
        """All routes, to be added under any prefix."""
        both = {
            "/api/v1/query": self._query,
            "/api/v1/query_range": self._query_range,
            "/api/v1/series": self._series,
            "/api/v1/labels": self._labels,
        }
        single: dict[str, Callable[[web.Request], Any]] = {
            "/api/v1/label/{name}/values": self._label_values,
            "/api/v1/targets": self._targets,
            "/api/v1/metadata": self._metadata,
            "/api/v1/status/buildinfo": self._buildinfo,
            "/api/v1/status/config": self._configuration,
            "/api/v1/status/runtimeinfo": self._runtimeinfo,
        }
        found = [web.get(path, _answer(handler)) for path, handler in {**both, **single}.items()]
        found += [web.post(path, _answer(handler)) for path, handler in both.items()]
        found.append(web.get("/-/ready", _plain("Prometheus Server is Ready.\n")))
        found.append(web.get("/-/healthy", _plain("Prometheus Server is Healthy.\n")))
        return found

    async def _query(self, request: web.Request) -> Any:
        params = await _parameters(request)
        at = _time(params, "time", milliseconds())
        value = engine.instant(self._database, _required(params, "query"), at)
        return {
            "resultType": _type(value, params["query"]),
            "result": self._instant(value, params["query"], at),
        }

    def _instant(self, value: Value, query: str, at: int) -> Any:
        if isinstance(value, str):
            return [at / 1000, value]
        if isinstance(value, np.ndarray):
            return [at / 1000, number(float(value[0]))]
        if _is_matrix(query):
            return self._matrix_selector(query, at)
        return [
            {"metric": dict(row.labels), "value": [at / 1000, number(float(row.values[0]))]}
            for row in value
            if row.present[0]
        ]

    def _matrix_selector(self, query: str, at: int) -> list[dict[str, Any]]:
        context = selectors.Context(self._database, np.array([at], dtype=np.int64), at, at)
        found = []
        for labels, window in selectors.windows(grammar.parse(query), context, engine.vector_of):
            span = range(int(window.first[0]), int(window.end[0]))
            values = [[int(window.times[i]) / 1000, number(float(window.values[i]))] for i in span]
            found.append({"metric": dict(labels), "values": values})
        return found

    async def _query_range(self, request: web.Request) -> Any:
        params = await _parameters(request)
        start, end = _time(params, "start"), _time(params, "end")
        try:
            step = parse_duration(_required(params, "step"))
        except ValueError as error:
            raise QueryError(f'invalid parameter "step": {error}', "bad_data") from error
        rows = engine.over(self._database, _required(params, "query"), start, end, step)
        steps = np.arange(start, end + 1, step) / 1000
        result = [_range_row(row, steps) for row in rows if row.present.any()]
        return {"resultType": "matrix", "result": result}

    async def _series(self, request: web.Request) -> Any:
        params = await _parameters(request)
        if "match[]" not in params:
            raise QueryError("no match[] parameter provided", "bad_data")
        found = {
            series.labels
            for matcher in await _matchers(request)
            for series in self._database.select(matcher)
        }
        return [dict(labels) for labels in sorted(found)]

    async def _labels(self, request: web.Request) -> Any:
        sets = await _matchers(request) or [[]]
        return sorted({name for each in sets for name in self._database.label_names(each)})

    async def _label_values(self, request: web.Request) -> Any:
        name = request.match_info["name"]
        sets = await _matchers(request) or [[]]
        return sorted({value for each in sets for value in self._database.label_values(name, each)})

    async def _targets(self, request: web.Request) -> Any:
        active = [
            {
                "discoveredLabels": {"__address__": dict(loop.target.labels)["instance"]},
                "labels": dict(loop.target.labels),
                "scrapePool": dict(loop.target.labels)["job"],
                "scrapeUrl": loop.target.url,
                "globalUrl": loop.target.url,
                "lastError": loop.last_error,
                "lastScrape": dt.datetime.fromtimestamp(
                    loop.last_scrape / 1000, dt.UTC
                ).isoformat(),
                "lastScrapeDuration": loop.last_seconds,
                "health": loop.health,
            }
            for loop in self._scraper.loops.values()
        ]
        return {"activeTargets": active, "droppedTargets": []}

    async def _metadata(self, request: web.Request) -> Any:
        wanted = request.query.get("metric")
        found: dict[str, list[dict[str, str]]] = {}
        for loop in self._scraper.loops.values():
            for metric, entry in loop.metadata.items():
                if wanted in (None, metric):
                    found[metric] = [{**entry, "unit": ""}]
        return found

    async def _buildinfo(self, request: web.Request) -> Any:
        return {
            "version": self._version,
            "revision": "meshcourse stand-in",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }

    async def _configuration(self, request: web.Request) -> Any:
        return {"yaml": self._config}

    async def _runtimeinfo(self, request: web.Request) -> Any:
        started = dt.datetime.fromtimestamp(_STARTED, dt.UTC).isoformat()
        retention = f"{self._database.retention // 60_000}m"
        return {
            "startTime": started,
            "reloadConfigSuccess": True,
            "storageRetention": retention,
            "timeSeriesCount": len(self._database),
        }


async def _parameters(request: web.Request) -> dict[str, str]:
    form = await request.post() if request.method == "POST" else {}
    return {**dict(request.query), **{key: str(value) for key, value in form.items()}}


async def _matchers(request: web.Request) -> list[list[Any]]:
    """The matchers of every ``match[]``."""
    form = await request.post() if request.method == "POST" else {}
    texts = [*request.query.getall("match[]", [])]
    texts += [str(value) for key, value in form.items() if key == "match[]"]
    found = []
    for text in texts:
        try:
            node = grammar.parse(text)
        except ValueError as error:
            raise QueryError(f'invalid parameter "match[]": {error}', "bad_data") from error
        if type(node).__name__ != "VectorSelector":
            raise QueryError('invalid parameter "match[]": not a series selector', "bad_data")
        found.append(selectors.matchers(node))
    return found


def _required(params: dict[str, str], name: str) -> str:
    if not params.get(name):
        raise QueryError(f'invalid parameter "{name}": missing', "bad_data")
    return params[name]


def _time(params: dict[str, str], name: str, default: int | None = None) -> int:
    if name not in params and default is not None:
        return default
    text = params.get(name, "")
    try:
        return parse_time(text)
    except ValueError as error:
        raise QueryError(
            f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp', "bad_data"
        ) from error


def _is_matrix(query: str) -> bool:
    node: Any = grammar.parse(query)
    while type(node).__name__ == "ParenExpr":
        node = node.expr
    return type(node).__name__ in ("MatrixSelector", "SubqueryExpr")


def _type(value: Value, query: str) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, np.ndarray):
        return "scalar"
    return "matrix" if _is_matrix(query) else "vector"


def _range_row(row: Row, steps: Any) -> dict[str, Any]:
    places = np.flatnonzero(row.present)
    values = [[float(steps[i]), number(float(row.values[i]))] for i in places]
    return {"metric": dict(row.labels), "values": values}


def _plain(text: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    return handle


def _answer(handler: Callable[[web.Request], Awaitable[Any]]) -> Handler:
    """Wrap data in the API's envelope and errors in its error form (400 bad_data, 422 execution)."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            body: dict[str, Any] = {"status": "success", "data": await handler(request)}
            code = 200
        except QueryError as error:
            body = {"status": "error", "errorType": error.kind, "error": str(error)}
            code = 400 if error.kind == "bad_data" else 422
        return web.Response(body=orjson.dumps(body), status=code, content_type="application/json")

    return handle
