"""The workload behind the image ``grafana/grafana``.

``GF_SERVER_SERVE_FROM_SUB_PATH`` with the path of ``GF_SERVER_ROOT_URL`` serves below that path, as in Grafana. The
data source's URL comes from ``PROMETHEUS_URL`` (default: the Service ``prometheus`` of its own namespace), the
dashboards from the files that are mounted (default: the course's own).
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from meshcourse.embedded.addons.grafana import dashboards, provisioning
from meshcourse.embedded.addons.grafana.api import Grafana
from meshcourse.embedded.images import common

PORT = 3000
_PROMETHEUS = "http://prometheus.istio-system:9090"


def main(argv: list[str]) -> int:
    """Entry of the image."""
    return common.run(_serve)


def application(grafana: Grafana, prefix: str) -> web.Application:
    """The routes below `prefix`, and at the root as well (probes come there)."""
    app = web.Application()
    app.add_routes(grafana.routes())
    if not prefix:
        return app
    outer = web.Application()
    inner = web.Application()
    inner.add_routes(grafana.routes())
    outer.add_subapp(prefix, inner)
    outer.add_routes(grafana.routes())
    return outer


def _prefix() -> str:
    if os.environ.get("GF_SERVER_SERVE_FROM_SUB_PATH") != "true":
        return ""
    return urlsplit(os.environ.get("GF_SERVER_ROOT_URL", "")).path.rstrip("/")


def _boards() -> dict[str, dict[str, Any]]:
    return provisioning.read(common.mounted(provisioning.FOLDER)) or dashboards.ALL


async def _serve() -> None:
    async with aiohttp.ClientSession(trust_env=True) as session:
        grafana = Grafana(os.environ.get("PROMETHEUS_URL", _PROMETHEUS), session, _boards)
        runner = web.AppRunner(application(grafana, _prefix()), access_log=None)
        await runner.setup()
        host, port = common.listen(PORT)
        await web.TCPSite(runner, host, port).start()
        common.say(f"stand-in for Grafana listening on {host}:{port}")
        try:
            await common.until_stopped()
        finally:
            await runner.cleanup()
