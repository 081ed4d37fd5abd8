"""ratings: stars for a book; v1 from memory, v2 from a database, and four variants that misbehave (`faults`)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from meshcourse.embedded.images import common
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.bookinfo import faults, store

PORT = 9080

_LEADING_INTEGER = re.compile(r"\s*([+-]?[0-9]+)")


class Failure(Exception):
    """An answer other than success: a status and the text of `error`."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


def product_id(path: str) -> int:
    """The number with which a path's last segment begins, as JavaScript's parseInt reads it.

    :raises Failure: 400 if there is none.
    """
    found = _LEADING_INTEGER.match(path.rsplit("/", 1)[-1])
    if not found:
        raise Failure(400, "please provide numeric product ID")
    return int(found[1])


class Ratings:
    """The service, with its settings read from the environment it was started in."""

    def __init__(self, env: Mapping[str, str], misbehaviour: faults.Faults | None = None) -> None:
        self.version = env.get("SERVICE_VERSION", "v1")
        self.env = env
        self.faults = misbehaviour or faults.Faults(self.version)
        self.posted: dict[int, Any] = {}

    async def get(self, request: web.Request) -> web.Response:
        """``GET /ratings/{id}``."""
        try:
            product = product_id(request.path)
            if self.version == "v2":
                return _json(_rated(product, await self._from_store()))
            if await self.faults.unavailable():
                raise Failure(503, "Service unavailable")
            return _json(self._from_memory(product))
        except Failure as failure:
            return _json({"error": str(failure)}, failure.status)

    async def post(self, request: web.Request) -> web.Response:
        """``POST /ratings/{id}`` with a JSON object as the new ratings, kept in memory; v2 does not implement it."""
        try:
            product = product_id(request.path)
            try:
                ratings = json.loads(await request.read())
            except ValueError as error:
                raise Failure(400, "please provide valid ratings JSON") from error
            if self.version == "v2":
                raise Failure(501, "Post not implemented for database backed ratings")
            self.posted[product] = {"id": product, "ratings": ratings}
            return _json(self._from_memory(product))
        except Failure as failure:
            return _json({"error": str(failure)}, failure.status)

    async def health(self, request: web.Request) -> web.Response:
        """``GET /health``: 500 while v-unhealthy is in its bad phase."""
        if self.faults.healthy:
            return _json({"status": "Ratings is healthy"})
        return _json({"status": "Ratings is not healthy"}, 500)

    def _from_memory(self, product: int) -> dict[str, Any]:
        return self.posted.get(product) or _rated(product, [5, 4])

    async def _from_store(self) -> list[int]:
        if self.env.get("DB_TYPE") == "mysql":
            host = self.env.get("MYSQL_DB_HOST", "localhost")
            return await _ask(
                lambda: store.query(
                    host, int(self.env.get("MYSQL_DB_PORT", store.MYSQL_PORT)), server_first=True
                ),
                # Upstream forgets the status here, so the caller sees 200 with an error in it.
                unreachable=Failure(200, "could not connect to ratings database"),
                failed=Failure(500, "could not perform select"),
            )
        url = urlsplit(self.env.get("MONGO_DB_URL", ""))
        return await _ask(
            lambda: store.query(
                url.hostname or "localhost", url.port or store.MONGO_PORT, server_first=False
            ),
            unreachable=Failure(500, "could not connect to ratings database"),
            failed=Failure(500, "could not load ratings from database"),
        )


async def _ask(query: Callable[[], Any], *, unreachable: Failure, failed: Failure) -> list[int]:
    try:
        ratings: list[int] = await query()
        return ratings
    except store.StoreError as error:
        common.say(str(error))
        raise (failed if error.connected else unreachable) from error


def _rated(product: int, stars: list[int]) -> dict[str, Any]:
    first, second = [*stars, 0, 0][:2]
    return {"id": product, "ratings": {"Reviewer1": first, "Reviewer2": second}}


def _json(body: Any, status: int = 200) -> web.Response:
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(text=text, status=status, content_type="application/json")


def application(
    env: Mapping[str, str] = os.environ, misbehaviour: faults.Faults | None = None
) -> web.Application:
    """The aiohttp application."""
    service = Ratings(env, misbehaviour)
    app = serving.application("")
    for path in ("/ratings/", "/ratings/{rest:.*}"):
        app.router.add_get(path, service.get)
        app.router.add_post(path, service.post)
    app.router.add_get("/health", service.health)
    return app


def _main(argv: list[str], version: str) -> int:
    common.bake(SERVICE_VERSION=version)
    return serving.run(application, common.port_argument(argv, PORT))


def main_v1(argv: list[str]) -> int:
    """Image examples-bookinfo-ratings-v1."""
    return _main(argv, "v1")


def main_v2(argv: list[str]) -> int:
    """Image examples-bookinfo-ratings-v2, backed by a database."""
    return _main(argv, "v2")


def main_faulty(argv: list[str]) -> int:
    """Image examples-bookinfo-ratings-v-faulty."""
    return _main(argv, "v-faulty")


def main_delayed(argv: list[str]) -> int:
    """Image examples-bookinfo-ratings-v-delayed."""
    return _main(argv, "v-delayed")


def main_unavailable(argv: list[str]) -> int:
    """Image examples-bookinfo-ratings-v-unavailable."""
    return _main(argv, "v-unavailable")


def main_unhealthy(argv: list[str]) -> int:
    """Image examples-bookinfo-ratings-v-unhealthy."""
    return _main(argv, "v-unhealthy")
