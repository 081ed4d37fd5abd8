"""The HTTP routes: ingestion (Zipkin, OTLP) and both query APIs.

Source: jaegertracing.io "APIs"; zipkin.io API; OTLP/HTTP.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Mapping

import orjson
from aiohttp import web

from meshcourse.embedded.addons.jaeger import classic, otlp, v3, zipkin
from meshcourse.embedded.addons.jaeger.store import Query, Store

_UNITS = {"ns": 0.001, "us": 1, "µs": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


class BadQuery(ValueError):
    """A parameter that is missing or cannot be read."""


def duration(text: str) -> int:
    """Go's duration (``1.5s``, ``100ms``) → microseconds. :raises BadQuery:"""
    if not text or _DURATION.sub("", text):
        raise BadQuery(f'could not parse duration "{text}": expected e.g. 100ms, 1.2s')
    return round(sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(text)))


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


class Ingestion:
    """Takes spans; a request that is malformed is refused whole."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def zipkin_routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v2/spans", self._zipkin)]

    def otlp_routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/traces", self._otlp)]

    async def _zipkin(self, request: web.Request) -> web.Response:
        try:
            self._store.add(zipkin.decode(orjson.loads(await request.read())))
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        return web.Response(status=202)

    async def _otlp(self, request: web.Request) -> web.Response:
        as_json = request.content_type == "application/json"
        try:
            self._store.add(otlp.parse(await request.read(), as_json=as_json))
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        return _json({}) if as_json else web.Response(content_type="application/x-protobuf")


class QueryApi:
    """Both query APIs over one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/services", self._services),
            web.get("/api/services/{service}/operations", self._operations_of),
            web.get("/api/operations", self._operations),
            web.get("/api/traces", self._search),
            web.get("/api/traces/{id}", self._trace),
            web.get("/api/dependencies", self._dependencies),
            web.get("/api/v3/services", self._services_v3),
            web.get("/api/v3/operations", self._operations_v3),
            web.get("/api/v3/traces", self._search_v3),
            web.get("/api/v3/traces/{id}", self._trace_v3),
        ]

    async def _services(self, request: web.Request) -> web.Response:
        return _json(classic.envelope(self._store.services()))

    async def _operations_of(self, request: web.Request) -> web.Response:
        found = self._store.operations(request.match_info["service"])
        return _json(classic.envelope(sorted({name for name, _ in found})))

    async def _operations(self, request: web.Request) -> web.Response:
        service = request.query.get("service", "")
        if not service:
            return _json(classic.error(400, "parameter 'service' is required"), 400)
        found = self._store.operations(service, request.query.get("spanKind", ""))
        return _json(classic.envelope([{"name": name, "spanKind": kind} for name, kind in found]))

    async def _search(self, request: web.Request) -> web.Response:
        try:
            if "traceID" in request.query:
                traces = [self._store.trace(each) for each in request.query.getall("traceID")]
            else:
                traces = self._store.search(
                    _classic_query(request.query, request.query.getall("tag", []))
                )
        except BadQuery as error:
            return _json(classic.error(400, str(error)), 400)
        return _json(classic.envelope([classic.trace(spans) for spans in traces if spans]))

    async def _trace(self, request: web.Request) -> web.Response:
        spans = self._store.trace(request.match_info["id"])
        if not spans:
            return _json(classic.error(404, "trace not found"), 404)
        return _json(classic.envelope([classic.trace(spans)]))

    async def _dependencies(self, request: web.Request) -> web.Response:
        try:
            end = (
                int(request.query["endTs"])
                if "endTs" in request.query
                else round(time.time() * 1000)
            )
            lookback = int(request.query.get("lookback", 86_400_000))
        except ValueError:
            return _json(classic.error(400, "endTs and lookback are milliseconds"), 400)
        found = self._store.dependencies((end - lookback) * 1000, end * 1000)
        rows = [
            {"parent": parent, "child": child, "callCount": count}
            for (parent, child), count in sorted(found.items())
        ]
        return _json(classic.envelope(rows))

    async def _services_v3(self, request: web.Request) -> web.Response:
        return _json({"services": self._store.services()})

    async def _operations_v3(self, request: web.Request) -> web.Response:
        service = request.query.get("service", "")
        if not service:
            return _error_v3(400, "malformed parameter service: required")
        found = self._store.operations(service, request.query.get("span_kind", ""))
        return _json({"operations": [{"name": name, "spanKind": kind} for name, kind in found]})

    async def _search_v3(self, request: web.Request) -> web.Response:
        try:
            traces = self._store.search(_query_v3(request.query))
        except BadQuery as error:
            return _error_v3(400, str(error))
        return _json(v3.result(traces)) if traces else _error_v3(404, "No traces found")

    async def _trace_v3(self, request: web.Request) -> web.Response:
        spans = self._store.trace(request.match_info["id"])
        return _json(v3.result([spans])) if spans else _error_v3(404, "No traces found")


def _error_v3(code: int, message: str) -> web.Response:
    return _json({"error": {"httpCode": code, "message": message}}, code)


def _classic_query(params: Mapping[str, str], tag_pairs: list[str]) -> Query:
    if not params.get("service"):
        raise BadQuery("parameter 'service' is required")
    return Query(
        service=params["service"],
        operation=params.get("operation", ""),
        start=_whole(params, "start", 0),
        end=_whole(params, "end", 1 << 62),
        limit=_whole(params, "limit", 100),
        shortest=duration(params["minDuration"]) if params.get("minDuration") else 0,
        longest=duration(params["maxDuration"]) if params.get("maxDuration") else 1 << 62,
        tags=_tags(params.get("tags", ""), tag_pairs),
    )


def _tags(text: str, pairs: list[str]) -> dict[str, str]:
    """``tags={"k":"v"}`` and any number of ``tag=k:v``."""
    try:
        found = json.loads(text) if text else {}
    except ValueError as error:
        raise BadQuery(f"malformed 'tags' parameter, cannot unmarshal JSON: {error}") from error
    for pair in pairs:
        key, colon, value = pair.partition(":")
        if not colon:
            raise BadQuery(f"malformed 'tag' parameter, expecting key:value, received: {pair}")
        found[key] = value
    return {str(key): str(value) for key, value in found.items()}


def _whole(params: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(params.get(name) or default)
    except ValueError as error:
        raise BadQuery(
            f"unable to parse param '{name}': {params[name]!r} is not a number"
        ) from error


def _query_v3(params: Mapping[str, str]) -> Query:
    def value(name: str) -> str:
        return params.get(f"query.{name}") or params.get(_camel(f"query.{name}")) or ""

    if not value("start_time_min") or not value("start_time_max"):
        raise BadQuery("query.start_time_min and query.start_time_max are required")
    try:
        limit = int(value("num_traces") or value("search_depth") or 100)
    except ValueError as error:
        raise BadQuery("malformed parameter query.num_traces") from error
    return Query(
        service=value("service_name"),
        operation=value("operation_name"),
        start=_rfc3339(value("start_time_min")),
        end=_rfc3339(value("start_time_max")),
        limit=limit,
        shortest=duration(value("duration_min")) if value("duration_min") else 0,
        longest=duration(value("duration_max")) if value("duration_max") else 1 << 62,
    )


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _rfc3339(text: str) -> int:
    try:
        return round(dt.datetime.fromisoformat(text).timestamp() * 1e6)
    except ValueError as error:
        raise BadQuery(f"malformed time {text!r}: expected RFC 3339") from error
