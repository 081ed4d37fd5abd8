"""The HTTP server: Fluent Bit's monitoring, our query, and the page.

Source: Fluent Bit, "Monitoring" (``/api/v1/…``). ``/logs`` is ours: the real program has no query.
"""

from __future__ import annotations

import time
from importlib import resources
from typing import Any, Final

import orjson
from aiohttp import web

from meshcourse.embedded.addons.fluentbit.forward import Event
from meshcourse.embedded.addons.fluentbit.receiver import Receiver
from meshcourse.embedded.addons.fluentbit.store import Store

#: The release whose API this serves.
VERSION: Final = "4.2.0"
_MOST: Final = 5000


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def shown(event: Event) -> dict[str, Any]:
    """An event as ``/logs`` gives it."""
    return {"time": event.time, "tag": event.tag, "record": event.record}


class Api:
    """The routes over one store."""

    def __init__(self, store: Store, receiver: Receiver) -> None:
        self._store = store
        self._receiver = receiver
        self._started = time.monotonic()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._root),
            web.get("/logs", self._logs),
            web.get("/api/v1/health", self._health),
            web.get("/api/v1/uptime", self._uptime),
            web.get("/api/v1/metrics", self._metrics),
            web.get("/api/v1/metrics/prometheus", self._prometheus),
            web.get("/api/v1/storage", self._storage),
        ]

    async def _root(self, request: web.Request) -> web.Response:
        """What it is, as JSON; a browser gets the page."""
        if "text/html" in request.headers.get("Accept", ""):
            text = resources.files(__package__).joinpath("page.html").read_text()
            return web.Response(text=text, content_type="text/html")
        about = {"version": VERSION, "edition": "meshcourse stand-in", "flags": []}
        return _json({"fluent-bit": about})

    async def _logs(self, request: web.Request) -> web.Response:
        try:
            limit = int(request.query.get("limit") or 100)
        except ValueError:
            return _json({"error": "limit is a whole number, e.g. limit=50"}, 400)
        if limit < 1:
            return _json({"error": "limit must be at least 1"}, 400)
        found = self._store.find(
            request.query.get("request_id", ""), request.query.get("pod", ""), min(limit, _MOST)
        )
        return _json([shown(event) for event in found])

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _uptime(self, request: web.Request) -> web.Response:
        seconds = int(time.monotonic() - self._started)
        minutes, rest = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        text = f"{days} day, {hours} hours, {minutes} minutes and {rest} seconds"
        return _json({"uptime_sec": seconds, "uptime_hr": f"Fluent Bit has been running:  {text}"})

    async def _metrics(self, request: web.Request) -> web.Response:
        store = self._store
        out = {
            "proc_records": store.records,
            "proc_bytes": store.bytes,
            "errors": self._receiver.errors,
            "retries": 0,
            "retries_failed": 0,
            "dropped_records": 0,
            "retried_records": 0,
        }
        put = {"records": store.records, "bytes": store.bytes}
        return _json({"input": {"forward.0": put}, "filter": {}, "output": {"stdout.0": out}})

    async def _prometheus(self, request: web.Request) -> web.Response:
        store = self._store
        rows = (
            ("fluentbit_input_records_total", "forward.0", store.records),
            ("fluentbit_input_bytes_total", "forward.0", store.bytes),
            ("fluentbit_output_proc_records_total", "stdout.0", store.records),
            ("fluentbit_output_proc_bytes_total", "stdout.0", store.bytes),
        )
        lines = [
            f'# TYPE {metric} counter\n{metric}{{name="{name}"}} {value}'
            for metric, name, value in rows
        ]
        return web.Response(text="\n".join(lines) + "\n")

    async def _storage(self, request: web.Request) -> web.Response:
        store = self._store
        chunks = {"total_chunks": len(store), "mem_chunks": len(store), "fs_chunks": 0}
        # What was forgotten to stay within bounds is said here: memory is a ring.
        return _json(
            {"storage_layer": {"chunks": chunks}, "bytes": store.size, "forgotten": store.dropped}
        )
