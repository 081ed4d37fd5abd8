"""The workload behind the image ``prom/prometheus``.

If a real ``prometheus`` is on PATH the pod becomes that (with the mounted configuration, see
`localized`); otherwise this stand-in serves. ``MESHCOURSE_PROMETHEUS=stand-in`` forces ours.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml
from aiohttp import web

from meshcourse.embedded.addons.prometheus import page, targets, tsdb
from meshcourse.embedded.addons.prometheus.api import Api, parse_duration
from meshcourse.embedded.addons.prometheus.scrape import Scraper
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
    real = shutil.which("prometheus")
    if real and os.environ.get("MESHCOURSE_PROMETHEUS") != "stand-in":
        return _become(real)
    return common.run(_serve)


def _become(program: str) -> int:
    host, port = common.listen(PORT)
    config = Path("prometheus.local.yml")
    account = common.mounted("/var/run/secrets/kubernetes.io/serviceaccount").resolve()
    config.write_text(localized(_configuration(), os.environ, account))
    common.say(f"running the real {program}")
    os.execv(
        program,
        [
            program,
            f"--config.file={config}",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=2h",
            f"--web.listen-address={host}:{port}",
        ],
    )


def localized(config: str, env: Mapping[str, str], account: Path) -> str:
    """A configuration for a real Prometheus in a container that shares this machine's file system.

    What its client takes for granted in a pod (``/var/run/secrets/…``, the API server's address) is written out.

    :param account: where the service account is mounted.
    """
    loaded = yaml.safe_load(config) or {}
    server = f"https://{env['KUBERNETES_SERVICE_HOST']}:{env['KUBERNETES_SERVICE_PORT']}"
    for job in loaded.get("scrape_configs") or []:
        for discovery in job.get("kubernetes_sd_configs") or []:
            discovery["api_server"] = server
            discovery["tls_config"] = {"ca_file": str(account / "ca.crt")}
            discovery["authorization"] = {"credentials_file": str(account / "token")}
    return yaml.safe_dump(loaded, sort_keys=False)


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


async def _serve() -> None:
    config = _configuration()
    database = tsdb.Database()
    async with HttpClient.in_pod(agent="prometheus") as client:
        pods = Informer(client, refs.PODS)
        await pods.start()
        found = lambda: [t for pod in pods.items.values() if (t := targets.of_pod(pod))]  # noqa: E731
        scraper = Scraper(database, found, interval_of(config))
        scraper.start()
        try:
            await serve_app(Api(database, scraper, config, VERSION))
        finally:
            await scraper.stop()
            await pods.stop()


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
