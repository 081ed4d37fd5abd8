"""jwt-server: publishes a set of public keys for ``RequestAuthentication``'s ``jwksUri``, over HTTP and HTTPS.

Any path answers; ``?delay=2s`` answers late. The keys are those of the original image unless the pod mounts its own at
/etc/jwks/jwks.json, which is an addition of ours: nobody has the private half of the original's.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from aiohttp import web

from meshcourse.embedded.images import common
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.httpbin import answers

HTTP_PORT = 8000
HTTPS_PORT = 8443
OWN_KEYS = "/etc/jwks/jwks.json"
#: Longest delay that is granted, in seconds.
MAX_DELAY = 3600.0
KEYS = (
    '{ "keys":[ {"e":"AQAB","kid":"tT_w9LRNrY7wJalGsTYSt7rutZi86Gvyc0EKR4CaQAw","kty":"RSA","n":'
    '"raJ7ZEhMfrBUo2werGKOow9an1B6Ukc6dKY2hNi10eaQe9ehJCjLpmJpePxoqaCi2VYt6gncLfhEV71JDGsodbfYMlaxwWTt6lXBcjlVXHWDXL'
    "C45rHVfi9FjSSXloHqmSStpjv3mrW3R6fx2VeVVP_mrA6ZHtcynq6ecJqO11STvVoeeM3lEsASVSWsUrKltC1Crfo0sI7YG34QjophVTEi8B9gVep"
    "AJZV-Bso5sinRABnxfLUM7DU5c8MO114uvXThgSIuAOM9PbViSC3X6Y9Gsjsy881HGO-EJaUCrwSWnwQW5sp0TktrYL70-M4_ug-X51Yt_PErmnc"
    'Kupx8Hw"}]}'
)


def flags(argv: list[str]) -> dict[str, str]:
    """Go's flags as ``-name value`` or ``-name=value``; words without a dash are skipped."""
    found: dict[str, str] = {}
    words = iter(argv[1:])
    for word in words:
        if word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            found[name] = value if equals else next(words, "")
    return found


def application(keys: Path) -> web.Application:
    """The aiohttp application; `keys` is read at each request, so a changed mount is seen."""
    app = serving.application("")

    async def publish(request: web.Request) -> web.Response:
        try:
            delay = answers.seconds(request.query.get("delay") or "0", "delay", MAX_DELAY)
        except answers.BadRequest:
            return web.Response(text="Invalid delay parameter", status=400)
        await asyncio.sleep(delay)
        text = keys.read_text(encoding="utf-8") if keys.is_file() else KEYS
        return web.Response(text=text, content_type="application/json")

    app.router.add_route("*", "/{path:.*}", publish)
    return app


async def _serve(given: dict[str, str]) -> None:
    runner = web.AppRunner(
        application(common.mounted(OWN_KEYS)), access_log_class=serving.AccessLine
    )
    await runner.setup()
    try:
        host, port = common.listen(int(given.get("http", HTTP_PORT)))
        await web.TCPSite(runner, host, port).start()
        common.say(f"listening on http://{host}:{port}")
        if given.get("cert") and given.get("key"):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(common.mounted(given["cert"]), common.mounted(given["key"]))
            host, port = common.listen(int(given.get("https", HTTPS_PORT)))
            await web.TCPSite(runner, host, port, ssl_context=context).start()
            common.say(f"listening on https://{host}:{port}")
        await common.until_stopped()
    finally:
        await runner.cleanup()


def main(argv: list[str]) -> int:
    """Image jwt-server."""
    return common.run(lambda: _serve(flags(argv)))
