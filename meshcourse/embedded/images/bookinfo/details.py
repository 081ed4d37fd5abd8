"""details: facts about a book. v2 asks an external book service (Google's), for the egress notebooks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from meshcourse.embedded.images import common, outbound
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.bookinfo import forwarding

PORT = 9080
#: Seconds to wait for the external book service.
EXTERNAL_TIMEOUT = 5.0
EXTERNAL = "{scheme}://www.googleapis.com/books/v1/volumes?q=isbn:0486424618"

_INTEGER = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*")


class BadRequest(Exception):
    """What the caller gets as 400 with its text as `error`."""


def product_id(path: str) -> int:
    """The last segment of a path as a number.

    :raises BadRequest: if it is none.
    """
    last = path.rstrip("/").rsplit("/", 1)[-1]
    if not _INTEGER.fullmatch(last):
        raise BadRequest("please provide numeric product id")
    return int(last)


def known_book(identity: int) -> dict[str, Any]:
    """The one book there is, under whichever id it is asked for."""
    return {
        "id": identity,
        "author": "William Shakespeare",
        "year": 1595,
        "type": "paperback",
        "pages": 200,
        "publisher": "PublisherA",
        "language": "English",
        "ISBN-10": "1234567890",
        "ISBN-13": "123-1234567890",
    }


def external_book(identity: int, body: bytes) -> dict[str, Any]:
    """The same shape from an answer of the external book service.

    :raises BadRequest: if the answer is not a book list.
    """
    try:
        volume = json.loads(body)["items"][0]["volumeInfo"]
        numbers = {entry["type"]: entry["identifier"] for entry in volume["industryIdentifiers"]}
        return {
            "id": identity,
            "author": volume["authors"][0],
            "year": volume["publishedDate"],
            "type": "paperback" if volume["printType"] == "BOOK" else "unknown",
            "pages": volume["pageCount"],
            "publisher": volume["publisher"],
            "language": "English" if volume["language"] == "en" else "unknown",
            "ISBN-10": numbers["ISBN_10"],
            "ISBN-13": numbers["ISBN_13"],
        }
    except (ValueError, LookupError, TypeError) as error:
        raise BadRequest(f"the external book service answered no book: {error!r}") from error


class Details:
    """The service, with its settings read from the environment it was started in."""

    def __init__(
        self, env: Mapping[str, str], *, external_timeout: float = EXTERNAL_TIMEOUT
    ) -> None:
        self.external = env.get("ENABLE_EXTERNAL_BOOK_SERVICE") == "true"
        # In clear text the sidecar can see the request and originate TLS itself.
        self.url = EXTERNAL.format(
            scheme="http" if env.get("DO_NOT_ENCRYPT") == "true" else "https"
        )
        self.external_timeout = external_timeout
        self.http = outbound.Http()

    async def book(self, identity: int, headers: Mapping[str, str]) -> dict[str, Any]:
        """A book's facts.

        :raises BadRequest: if they cannot be had.
        """
        if not self.external:
            return known_book(identity)
        try:
            answer = await self.http.get(
                self.url, forwarding.select(headers), self.external_timeout
            )
        except outbound.Unreachable as error:
            raise BadRequest(str(error)) from error
        return external_book(identity, answer.body)

    async def details(self, request: web.Request) -> web.Response:
        """Any method at ``/details/…``, as upstream's server has it."""
        try:
            return _json(await self.book(product_id(request.path), request.headers))
        except BadRequest as error:
            return _json({"error": str(error)}, 400)

    async def health(self, request: web.Request) -> web.Response:
        """``/health``."""
        return _json({"status": "Details is healthy"})


def _json(body: Any, status: int = 200) -> web.Response:
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(text=text, status=status, content_type="application/json")


def application(env: Mapping[str, str] = os.environ, **timeouts: float) -> web.Application:
    """The aiohttp application; call it inside the event loop."""
    service = Details(env, **timeouts)
    app = serving.application("meshcourse-details")
    for path in ("/details", "/details/{rest:.*}"):
        app.router.add_route("*", path, service.details)
    for path in ("/health", "/health/{rest:.*}"):
        app.router.add_route("*", path, service.health)

    async def close(app: web.Application) -> None:
        await service.http.close()

    app.on_cleanup.append(close)
    return app


def main(argv: list[str]) -> int:
    """Image examples-bookinfo-details-v1."""
    common.bake(SERVICE_VERSION="v1", ENABLE_EXTERNAL_BOOK_SERVICE="false")
    return serving.run(application, common.port_argument(argv, PORT))


def main_v2(argv: list[str]) -> int:
    """Image examples-bookinfo-details-v2, which asks the external book service."""
    common.bake(SERVICE_VERSION="v2", ENABLE_EXTERNAL_BOOK_SERVICE="true")
    return serving.run(application, common.port_argument(argv, PORT))
