"""istiod's HTTP pages: ``/ready``, ``/metrics``, ``/version`` and ``/debug/…``, named like the real ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from meshcourse import versions
from meshcourse.embedded.istio import model
from meshcourse.embedded.istiod import metrics
from meshcourse.embedded.istiod.push import Pusher
from meshcourse.embedded.istiod.xds import types
from meshcourse.embedded.istiod.xds.connection import Connection
from meshcourse.embedded.kube.refs import Resource

Json = dict[str, Any]

_SYNC_FIELDS = {
    types.CDS: "cluster",
    types.LDS: "listener",
    types.RDS: "route",
    types.EDS: "endpoint",
    types.ECDS: "extensionconfig",
}


class Pages:
    """The pages, as one aiohttp application for both ports (8080 and 15014).

    :param ready: whether istiod serves configuration.
    """

    def __init__(
        self,
        pod: str,
        pusher: Pusher,
        connections: Callable[[], Iterable[Connection]],
        ready: Callable[[], bool],
    ) -> None:
        self._pod = pod
        self._pusher = pusher
        self._connections = connections
        self._ready = ready

    def application(self) -> web.Application:
        app = web.Application()
        pages: dict[str, Callable[[web.Request], Any]] = {
            "/debug/syncz": self._syncz,
            "/debug/adsz": self._adsz,
            "/debug/configz": self._configz,
            "/debug/endpointz": self._endpointz,
            "/debug/registryz": self._registryz,
        }
        app.router.add_get("/ready", self._readiness)
        app.router.add_get("/metrics", _metrics)
        app.router.add_get("/version", _version)
        for path, page in pages.items():
            app.router.add_get(path, _json(page))
        app.router.add_get("/debug", _json(lambda _: sorted(pages)))
        return app

    async def _readiness(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self._ready() else 503)

    def _syncz(self, request: web.Request) -> list[Json]:
        """Sent and acknowledged versions per proxy; ``?proxy=NAME.NAMESPACE`` for one."""
        wanted = request.query.get("proxy", "")
        found = [_sync(one) for one in self._connections() if wanted in ("", one.node.name)]
        return sorted(found, key=lambda status: str(status["proxy"]))

    def _adsz(self, _request: web.Request) -> Json:
        clients = [
            {
                "connectionId": one.id,
                "connectedAt": dt.datetime.fromtimestamp(one.connected_at, dt.UTC),
                "address": one.peer,
                "metadata": one.node.metadata,
                "watches": {
                    url: sorted(channel.names or ())
                    for url, channel in one.delivery.channels.items()
                    if channel.subscribed
                },
            }
            for one in self._connections()
        ]
        return {"totalClients": len(clients), "clients": clients}

    def _configz(self, _request: web.Request) -> list[Json]:
        snapshot = self._pusher.snapshot or model.Snapshot()
        pairs = [(kind, one) for kind, group in snapshot.configs.items() for one in group]
        return [_config(kind, one) for kind, one in pairs]

    def _endpointz(self, _request: web.Request) -> list[Json]:
        snapshot = self._pusher.snapshot or model.Snapshot()
        return [
            {
                "svc": f"{key.hostname}:{port}",
                "ep": [
                    {
                        "address": one.address,
                        "port": one.port,
                        "labels": dict(one.labels),
                        "serviceAccount": one.service_account,
                        "tlsMode": one.tls_mode,
                        "healthy": one.healthy,
                    }
                    for one in endpoints
                ],
            }
            for key, ports in snapshot.endpoints.items()
            for port, endpoints in ports.items()
        ]

    def _registryz(self, _request: web.Request) -> list[Json]:
        snapshot = self._pusher.snapshot or model.Snapshot()
        return [
            {
                "hostname": service.hostname,
                "namespace": service.namespace,
                "registry": service.registry,
                "ports": [
                    {"name": port.name, "port": port.number, "protocol": port.protocol.value}
                    for port in service.ports
                ],
            }
            for service in snapshot.services.values()
        ]


def _json(page: Callable[[web.Request], Any]) -> Any:
    async def handle(request: web.Request) -> web.Response:
        body = orjson.dumps(page(request), option=orjson.OPT_INDENT_2, default=str)
        return web.Response(body=body, content_type="application/json")

    return handle


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(text=metrics.exposition(), content_type="text/plain")


async def _version(_request: web.Request) -> web.Response:
    return web.Response(text=f"{versions.ISTIO}-meshcourse-Clean\n")


def _sync(connection: Connection) -> Json:
    node = connection.node
    status: Json = {
        "cluster_id": node.metadata.get("CLUSTER_ID", "Kubernetes"),
        "proxy": node.name,
        "proxy_type": node.kind,
        "istio_version": node.version,
        "node": node.id,
        "namespace": node.namespace,
    }
    for type_url, field in _SYNC_FIELDS.items():
        channel = connection.delivery.channels[type_url]
        if channel.nonce:
            status[f"{field}_sent"] = channel.nonce
        if channel.acked_nonce:
            status[f"{field}_acked"] = channel.acked_nonce
    status["resources"] = {
        types.short(url): _type_status(connection, url) for url in connection.delivery.channels
    }
    return status


def _type_status(connection: Connection, type_url: str) -> Json:
    """``SYNCED``, ``STALE``, ``ERROR``, ``NOT SENT`` or ``IGNORED`` with the time of the last response."""
    channel = connection.delivery.channels[type_url]
    status: Json = {"sent": channel.version, "acked": channel.acked_version}
    if channel.sent_at:
        status["sentTime"] = dt.datetime.fromtimestamp(channel.sent_at, dt.UTC)
    if error := connection.unsent.get(type_url) or channel.error:
        return {**status, "status": "ERROR", "lastError": error}
    if not channel.subscribed:
        return {**status, "status": "IGNORED"}
    if not channel.nonce:
        return {**status, "status": "NOT SENT"}
    synced = connection.delivery.synced(type_url)
    return {**status, "status": "SYNCED" if synced else "STALE"}


def _config(kind: Resource, one: model.Config) -> Json:
    return {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": {
            "name": one.name,
            "namespace": one.namespace,
            "resourceVersion": one.resource_version,
            "creationTimestamp": one.created,
        },
        "spec": one.spec,
    }
