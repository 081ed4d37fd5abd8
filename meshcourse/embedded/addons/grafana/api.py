"""Grafana's HTTP API as far as clients of the course use it, and the page.

Source: grafana.com, "HTTP API": health, search, dashboard, data source, query, data source proxy.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from meshcourse.embedded.addons.grafana import dashboards, frames

Json = dict[str, Any]
#: The release whose API this serves.
VERSION = "12.0.1"
_TIMEOUT = aiohttp.ClientTimeout(total=30)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Unreachable(Exception):
    """Prometheus did not answer."""


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


class Grafana:
    """The routes over one Prometheus.

    :param prometheus: its base URL.
    :param session: one that knows the proxy of this pod.
    :param boards: uid → dashboard, asked again for each request.
    """

    def __init__(
        self,
        prometheus: str,
        session: aiohttp.ClientSession,
        boards: Callable[[], Mapping[str, Json]] = lambda: dashboards.ALL,
    ) -> None:
        self._url = prometheus.rstrip("/")
        self._session = session
        self._boards = boards

    def routes(self) -> list[web.RouteDef]:
        """All routes, to be added under any prefix."""
        return [
            web.get("/api/health", self._health),
            web.get("/api/search", self._search),
            web.get("/api/dashboards/uid/{uid}", self._dashboard),
            web.get("/api/datasources", self._datasources),
            web.get("/api/datasources/uid/{uid}", self._datasource),
            web.get("/api/datasources/uid/{uid}/health", self._datasource_health),
            web.route("*", "/api/datasources/proxy/uid/{uid}/{path:.*}", self._proxy),
            web.post("/api/ds/query", self._query),
            web.get("/", _index),
            web.get("/dashboards", _index),
            web.get("/d/{uid}", _index),
            web.get("/d/{uid}/{slug}", _index),
        ]

    async def _health(self, request: web.Request) -> web.Response:
        return _json({"commit": "meshcourse stand-in", "database": "ok", "version": VERSION})

    async def _search(self, request: web.Request) -> web.Response:
        wanted = request.query.get("query", "").lower()
        found = [
            {
                "id": number,
                "uid": uid,
                "title": board["title"],
                "uri": f"db/{uid}",
                "url": f"/d/{uid}/{uid}",
                "type": "dash-db",
                "tags": board.get("tags", []),
                "isStarred": False,
            }
            for number, (uid, board) in enumerate(self._boards().items(), start=1)
            if wanted in board["title"].lower()
        ]
        return _json(found if request.query.get("type", "dash-db") == "dash-db" else [])

    async def _dashboard(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        board = self._boards().get(uid)
        if board is None:
            return _json({"message": "Dashboard not found", "status": "not-found"}, 404)
        meta = {
            "type": "db",
            "slug": uid,
            "url": f"/d/{uid}/{uid}",
            "canEdit": False,
            "provisioned": True,
        }
        return _json({"dashboard": board, "meta": meta})

    def _source(self) -> Json:
        return {
            "id": 1,
            "uid": "prometheus",
            "name": "Prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": self._url,
            "isDefault": True,
            "readOnly": True,
        }

    async def _datasources(self, request: web.Request) -> web.Response:
        return _json([self._source()])

    async def _datasource(self, request: web.Request) -> web.Response:
        return _json(self._source()) if _known(request) else _no_source()

    async def _datasource_health(self, request: web.Request) -> web.Response:
        if not _known(request):
            return _no_source()
        try:
            await self._ask("query", {"query": "1"})
        except (Unreachable, web.HTTPException) as error:
            return _json({"status": "ERROR", "message": str(error)}, 400)
        return _json({"status": "OK", "message": "Successfully queried the Prometheus API."})

    async def _proxy(self, request: web.Request) -> web.StreamResponse:
        if not _known(request):
            return _no_source()
        url = f"{self._url}/{request.match_info['path']}"
        headers = {"Content-Type": request.content_type} if request.can_read_body else {}
        try:
            async with self._session.request(
                request.method,
                url,
                params=request.query,
                data=await request.read() if request.can_read_body else None,
                headers=headers,
                timeout=_TIMEOUT,
            ) as answer:
                body = await answer.read()
                return web.Response(
                    body=body, status=answer.status, content_type=answer.content_type
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            return _json({"message": f"Bad Gateway: {error}"}, 502)

    async def _query(self, request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read())
            queries = body["queries"]
            start, end = _moment(body.get("from", "now-15m")), _moment(body.get("to", "now"))
        except (ValueError, KeyError, TypeError) as error:
            return _json({"message": f"bad request data: {error}"}, 400)
        results = {
            query.get("refId", "A"): await self._result(query, start, end) for query in queries
        }
        worst = max((result["status"] for result in results.values()), default=200)
        return _json({"results": results}, 200 if worst == 200 else 400)

    async def _result(self, query: Json, start: float, end: float) -> Json:
        ref_id = query.get("refId", "A")
        try:
            answer = await self._run(query, start, end)
        except (Unreachable, ValueError) as error:
            return {"error": str(error), "status": 400, "frames": []}
        if query.get("format") == "table":
            found = frames.table(answer, ref_id)
        else:
            found = frames.frames(answer, ref_id, query.get("legendFormat", ""))
        return {"status": 200, "frames": found}

    async def _run(self, query: Json, start: float, end: float) -> Json:
        if query.get("instant"):
            return await self._ask("query", {"query": query["expr"], "time": str(end)})
        points = max(1, int(query.get("maxDataPoints") or 120))
        step = max(1.0, (end - start) / points, float(query.get("intervalMs") or 0) / 1000)
        start = start // step * step  # aligned, so that a refresh moves no point
        window = {"start": str(start), "end": str(end), "step": f"{step:.3f}"}
        return await self._ask("query_range", {"query": query["expr"], **window})

    async def _ask(self, path: str, params: dict[str, str]) -> Json:
        try:
            async with self._session.post(
                f"{self._url}/api/v1/{path}", data=params, timeout=_TIMEOUT
            ) as answer:
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreachable(f"Prometheus at {self._url} does not answer: {error}") from error
        if not isinstance(body, dict) or body.get("status") != "success":
            raise ValueError(str(body.get("error") if isinstance(body, dict) else body))
        found: Json = body["data"]
        return found


def _known(request: web.Request) -> bool:
    return request.match_info["uid"] == "prometheus"


def _no_source() -> web.Response:
    return _json({"message": "Data source not found"}, 404)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _moment(text: object) -> float:
    """``now``, ``now-15m`` or milliseconds → seconds since the epoch. :raises ValueError:"""
    found = str(text)
    if found == "now":
        return time.time()
    if found.startswith("now-") and found[-1] in _UNITS:
        return time.time() - int(found[4:-1]) * _UNITS[found[-1]]
    return float(found) / 1000


async def _index(request: web.Request) -> web.Response:
    text = resources.files(__package__).joinpath("page.html").read_text()
    return web.Response(text=text, content_type="text/html")
