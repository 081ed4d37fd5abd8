"""The workload behind the image ``kiali/kiali``.

Serves below ``/kiali`` (``SERVER_WEB_ROOT`` or ``server.web_root`` of the mounted configuration). Prometheus is at
``external_services.prometheus.url`` of the configuration, else at ``PROMETHEUS_URL``, else the add-on's Service.
"""

from __future__ import annotations

import os
from typing import Any, Final

import aiohttp
import yaml
from aiohttp import web

from meshcourse.embedded.addons.kiali import page
from meshcourse.embedded.addons.kiali.api import Kiali
from meshcourse.embedded.addons.kiali.sources import Objects, Prometheus
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.images import common
from meshcourse.embedded.kube import objects

PORT: Final = 20001
CONFIG: Final = "/kiali-configuration/config.yaml"
_PROMETHEUS: Final = "http://prometheus.istio-system:9090"


def main(argv: list[str]) -> int:
    """Entry of the image."""
    return common.run(_serve)


def application(kiali: Kiali, root: str) -> web.Application:
    """The routes below `root` ("" or ``/kiali``); the bare root leads there, and ``/healthz`` is at both."""
    inner = web.Application()
    inner.add_routes([*kiali.routes(), *page.routes()])
    if not root:
        return inner
    outer = web.Application()

    async def to_root(request: web.Request) -> web.StreamResponse:
        # Relative, so that it holds behind a gateway that puts more in front of the path.
        raise web.HTTPFound(
            f"{root.lstrip('/')}/" if request.path == "/" else f"{root.split('/')[-1]}/"
        )

    # Before the inner application: its prefix claims the bare root as well, and answers 404.
    outer.add_routes([web.get("/", to_root), web.get(root, to_root), *kiali.probes()])
    outer.add_subapp(root, inner)
    return outer


def configuration() -> dict[str, Any]:
    """The mounted configuration, or nothing."""
    path = common.mounted(CONFIG)
    if not path.exists():
        return {}
    found = yaml.safe_load(path.read_text())
    return found if isinstance(found, dict) else {}


async def _serve() -> None:
    config = configuration()
    url = objects.dig(config, "external_services.prometheus.url") or os.environ.get(
        "PROMETHEUS_URL", _PROMETHEUS
    )
    root = os.environ.get("SERVER_WEB_ROOT") or objects.dig(config, "server.web_root", "/kiali")
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        HttpClient.in_pod(agent="kiali") as client,
    ):
        found = Objects(client)
        await found.start()
        kiali = Kiali(Prometheus(str(url), session), found.snapshot)
        runner = web.AppRunner(application(kiali, str(root).rstrip("/")), access_log=None)
        await runner.setup()
        host, port = common.listen(PORT)
        await web.TCPSite(runner, host, port).start()
        common.say(f"stand-in for Kiali listening on {host}:{port}")
        try:
            await common.until_stopped()
        finally:
            await runner.cleanup()
            await found.stop()
