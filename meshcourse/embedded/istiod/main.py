"""The image ``pilot``: ``discovery`` runs istiod."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

# Imported here, not on use: the fork server loads this module once for all restarts.
from meshcourse.embedded.client import http
from meshcourse.embedded.istiod import istiod, settings
from meshcourse.errors import MeshcourseError

_FORMAT = "%(asctime)s.%(msecs)03d000Z\t%(levelname)s\t%(name)s\t%(message)s"


def main(argv: list[str]) -> int:
    """Run until SIGTERM; the exit code."""
    logging.addLevelName(logging.INFO, "info")
    logging.addLevelName(logging.WARNING, "warn")
    logging.addLevelName(logging.ERROR, "error")
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format=_FORMAT, datefmt="%Y-%m-%dT%H:%M:%S"
    )
    try:
        asyncio.run(_run())
    except MeshcourseError as error:
        logging.getLogger("istiod").error("%s", error)
        return 1
    return 0


async def _run() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with http.HttpClient.in_pod(agent="pilot-discovery") as client:
        await istiod.Istiod(client, settings.read()).run(stop)
