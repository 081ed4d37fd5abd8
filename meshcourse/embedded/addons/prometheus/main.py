"""The workload behind the image ``prom/prometheus``.

If a real ``prometheus`` is on PATH the pod runs that (see `real`); otherwise this stand-in serves.
``MESHCOURSE_PROMETHEUS=stand-in`` forces ours.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import yaml
from aiohttp import web

from meshcourse.embedded.addons.prometheus import page, real, targets, tsdb
from meshcourse.embedded.addons.prometheus.api import Api, parse_duration
from meshcourse.embedded.addons.prometheus.scrape import Scraper
from meshcourse.embedded.addons.prometheus.targets import Target
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.images import common
from meshcourse.embedded.kube import refs

PORT = 9090
#: The release whose API this serves.
VERSION = "3.10.0"
CONFIG = "/etc/config/prometheus.yml"
_DEFAULT = "global:\n  scrape_interval: 1s\n"


def main(argv: list[str]) -> int:
    """Entry of the image."""
    codes: list[int] = []

    async def serve() -> None:
        codes.append(await _serve())

    return common.run(serve) or codes[0]


def _program() -> str | None:
    """The real Prometheus, unless there is none or it is not wanted."""
    if os.environ.get("MESHCOURSE_PROMETHEUS") == "stand-in":
        return None
    return shutil.which("prometheus")


def _configuration() -> str:
    path = common.mounted(CONFIG)
    return path.read_text() if path.exists() else _DEFAULT


def interval_of(config: str) -> float:
    """``global.scrape_interval`` in seconds.

    :raises ValueError: if the configuration is not YAML or the interval no duration.
    """
    try:
        loaded = yaml.safe_load(config) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{CONFIG}: {error}") from error
    text = str((loaded.get("global") or {}).get("scrape_interval", "1m"))
    return parse_duration(text) / 1000


async def _serve() -> int:
    config = _configuration()
    async with HttpClient.in_pod(agent="prometheus") as client:
        pods = Informer(client, refs.PODS)
        await pods.start()

        def found() -> list[Target]:
            asked = (targets.of_pod(pod) for pod in list(pods.items.values()))
            return [target for target in asked if target]

        program = _program()
        try:
            if program:
                return await real.run(program, config, common.listen(PORT), found)
            await _stand_in(config, found)
        finally:
            await pods.stop()
    return 0


async def _stand_in(config: str, found: Callable[[], list[Target]]) -> None:
    database = tsdb.Database()
    scraper = Scraper(database, found, interval_of(config))
    scraper.start()
    try:
        await serve_app(Api(database, scraper, config, VERSION))
    finally:
        await scraper.stop()


async def serve_app(api: Api) -> None:
    """Serve the API and the page until stopped."""
    app = web.Application()
    app.add_routes([*api.routes(), *page.routes()])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, port = common.listen(PORT)
    await web.TCPSite(runner, host, port).start()
    common.say(f"stand-in for Prometheus {VERSION} listening on {host}:{port}")
    try:
        await common.until_stopped()
    finally:
        await runner.cleanup()
