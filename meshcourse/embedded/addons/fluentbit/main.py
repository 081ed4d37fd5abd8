"""The workload behind the image ``fluent/fluent-bit``.

Forward protocol on 24224, HTTP on 2020. Every record is printed as one line of JSON as well, as the real program does
with ``stdout`` and ``json_lines``: what reads the pod's log works with both.
"""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

from meshcourse.embedded.addons.fluentbit.api import Api
from meshcourse.embedded.addons.fluentbit.forward import Event
from meshcourse.embedded.addons.fluentbit.receiver import Receiver
from meshcourse.embedded.addons.fluentbit.store import Store
from meshcourse.embedded.images import common

FORWARD_PORT, HTTP_PORT = 24224, 2020
#: The key under which a line carries the event's time.
DATE: Final = "date"


def main(argv: list[str]) -> int:
    """Entry of the image."""
    return common.run(_serve)


def line(event: Event) -> str:
    """One event as ``json_lines`` prints it."""
    return orjson.dumps({DATE: event.time, **event.record}, default=str).decode()


def _print(events: list[Event]) -> None:
    if events:
        common.say("\n".join(map(line, events)))


async def _serve() -> None:
    store = Store()
    receiver = Receiver(store, _print)
    app = web.Application()
    app.add_routes(Api(store, receiver).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, *common.listen(HTTP_PORT)).start()
        await receiver.start(*common.listen(FORWARD_PORT))
        common.complain(f"stand-in for Fluent Bit listening on {common.listen(FORWARD_PORT)}")
        await common.until_stopped()
    finally:
        await receiver.stop()
        await runner.cleanup()
