"""Kiali's HTTP API as far as clients of the course use it.

Source: kiali.io, HTTP API: status, namespaces, graph, health, Istio configuration and validations, lists.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import orjson
from aiohttp import web

from meshcourse.embedded.addons.kiali import health, members, options, views
from meshcourse.embedded.addons.kiali.graph import assemble, queries
from meshcourse.embedded.addons.kiali.mesh import CLUSTER, Mesh
from meshcourse.embedded.addons.kiali.options import BadRequest, Options
from meshcourse.embedded.addons.kiali.sources import Prometheus, PrometheusError
from meshcourse.embedded.kube import objects

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: The release whose API this serves.
VERSION: Final = "v2.27.0"


class Forbidden(Exception):
    """A namespace that is not there (Kiali does not tell it from one that may not be seen)."""


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _errors(handler: Handler) -> Handler:
    """Failures as Kiali words them: ``{"error": …}``."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadRequest as error:
            return _json({"error": str(error)}, 400)
        except Forbidden as error:
            return _json({"error": str(error)}, 403)
        except PrometheusError as error:
            return _json({"error": str(error)}, 503)

    return guarded


class Kiali:
    """The routes.

    :param prometheus: who is asked for traffic.
    :param snapshot: what the cluster holds now.
    """

    def __init__(self, prometheus: Prometheus, snapshot: Callable[[], Mesh]) -> None:
        self._prometheus = prometheus
        self._snapshot = snapshot

    def routes(self) -> list[web.RouteDef]:
        """All routes, relative to Kiali's root."""
        handlers: dict[str, Handler] = {
            "/api": self._status,
            "/api/status": self._status,
            "/api/namespaces": self._namespaces,
            "/api/namespaces/graph": self._graph,
            "/api/clusters/health": self._health,
            "/api/clusters/services": self._services,
            "/api/clusters/workloads": self._workloads,
            "/api/clusters/apps": self._apps,
            "/api/istio/config": self._config,
            "/api/istio/validations": self._validations,
            "/api/namespaces/{namespace}/istio": self._config,
        }
        found = [web.get(path, _errors(handler)) for path, handler in handlers.items()]
        return [*found, *self.probes()]

    def probes(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self._healthz)]

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _status(self, request: web.Request) -> web.Response:
        external = [{"name": "Prometheus", "url": self._prometheus.url}]
        reachable = await self._prometheus.ready()
        warnings = [] if reachable else [f"Prometheus at {self._prometheus.url} does not answer"]
        return _json(
            {
                "status": {
                    "Kiali version": VERSION,
                    "Kiali commit hash": "meshcourse stand-in",
                    "Kiali container version": VERSION,
                    "Kiali state": "running",
                    "Disabled features": "",
                },
                "externalServices": external,
                "warningMessages": warnings,
                "istioEnvironment": {"istioAPIEnabled": True},
            }
        )

    async def _namespaces(self, request: web.Request) -> web.Response:
        return _json(views.namespaces(self._snapshot()))

    async def _graph(self, request: web.Request) -> web.Response:
        wanted = options.parse(request.query)
        mesh = self._snapshot()
        _accessible(mesh, wanted.namespaces)
        asked = assemble.plan(wanted, durations(wanted, mesh, time.time()))
        answers = await self._prometheus.ask_all(asked.texts, wanted.query_time)
        timestamp = wanted.query_time or int(time.time())
        return _json(assemble.graph(wanted, asked, answers, mesh, timestamp))

    async def _health(self, request: web.Request) -> web.Response:
        mesh = self._snapshot()
        kind = request.query.get("type", "")
        if kind and kind not in members.KINDS:
            raise BadRequest(f"type must be one of: {', '.join(members.KINDS)}")
        within = _within(request, mesh)
        kinds = [kind] if kind else list(members.KINDS)
        each_ones = await asyncio.gather(*(self._members(request, mesh, one) for one in within))
        found = dict(zip(within, each_ones, strict=True))
        answer: Json = {
            f"namespace{each.capitalize()}Health": {space: found[space][each] for space in within}
            for each in kinds
        }
        answer["namespaceHealth"] = {space: _aggregate(found[space], kinds) for space in within}
        return _json(answer)

    async def _members(self, request: web.Request, mesh: Mesh, namespace: str) -> Json:
        """Health of the apps, services and workloads of one namespace."""
        interval = options.seconds(request.query.get("rateInterval") or "5m", "rateInterval")
        seconds = _clipped(int(interval), mesh, namespace, time.time())
        asked = queries.health(namespace, seconds)
        answers = await self._prometheus.ask_all([one.text for one in asked], 0)
        samples = {one.metric: answers[one.text] for one in asked}
        return {
            kind: members.of_namespace(kind, mesh, namespace, samples) for kind in members.KINDS
        }

    async def _services(self, request: web.Request) -> web.Response:
        mesh = self._snapshot()
        within = _within(request, mesh)
        found = [
            one
            for space in within
            for one in views.services(
                mesh, space, (await self._members_if_asked(request, mesh, space))["service"]
            )
        ]
        checks = views.validation_map(mesh, within).get("service", {})
        return _json({"cluster": CLUSTER, "services": found, "validations": {"service": checks}})

    async def _workloads(self, request: web.Request) -> web.Response:
        mesh = self._snapshot()
        found = [
            one
            for space in _within(request, mesh)
            for one in views.workloads(
                mesh, space, (await self._members_if_asked(request, mesh, space))["workload"]
            )
        ]
        return _json({"cluster": CLUSTER, "workloads": found, "validations": {}})

    async def _apps(self, request: web.Request) -> web.Response:
        mesh = self._snapshot()
        found = [
            one
            for space in _within(request, mesh)
            for one in views.apps(
                mesh, space, (await self._members_if_asked(request, mesh, space))["app"]
            )
        ]
        return _json({"cluster": CLUSTER, "applications": found})

    async def _members_if_asked(self, request: web.Request, mesh: Mesh, namespace: str) -> Json:
        if request.query.get("health") == "true":
            return await self._members(request, mesh, namespace)
        return {kind: {} for kind in members.KINDS}

    async def _config(self, request: web.Request) -> web.Response:
        mesh = self._snapshot()
        wanted = [one.strip() for one in request.query.get("objects", "").split(";") if one.strip()]
        validate = request.query.get("validate", "true") != "false"
        within = _within(request, mesh)
        return _json(views.istio_config(mesh, within, wanted, validate=validate))

    async def _validations(self, request: web.Request) -> web.Response:
        mesh = self._snapshot()
        return _json(views.summaries(mesh, _within(request, mesh)))


def durations(wanted: Options, mesh: Mesh, now: float) -> dict[str, int]:
    """Seconds to look back, by namespace: not to before it was created."""
    when = wanted.query_time or now
    return {one: _clipped(wanted.duration, mesh, one, when) for one in wanted.namespaces}


def _clipped(seconds: int, mesh: Mesh, namespace: str, when: float) -> int:
    """`seconds`, but not longer than the namespace has existed at `when`."""
    text = objects.dig(mesh.namespaces[namespace], "metadata.creationTimestamp", "")
    age = when - dt.datetime.fromisoformat(text).timestamp() if text else seconds
    return max(1, min(seconds, int(age)))


def _accessible(mesh: Mesh, namespaces: Iterable[str]) -> None:
    for namespace in namespaces:
        if namespace not in mesh.namespaces:
            raise Forbidden(f"Requested namespace [{namespace}] is not accessible.")


def _within(request: web.Request, mesh: Mesh) -> list[str]:
    """The namespaces that a request is about: those it names, or all."""
    text = request.match_info.get("namespace") or request.query.get("namespaces", "")
    found = [one.strip() for one in text.split(",") if one.strip()]
    _accessible(mesh, found)
    return found or sorted(mesh.namespaces)


def _aggregate(found: Json, kinds: Iterable[str]) -> Json:
    grouped = {f"status{kind.capitalize()}": health.buckets(found[kind]) for kind in kinds}
    states = (one["status"]["status"] for kind in kinds for one in found[kind].values())
    return {**grouped, "worstStatus": health.worst(states)}
