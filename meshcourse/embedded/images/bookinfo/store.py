"""Stand-ins for the databases behind ratings v2: examples-bookinfo-mongodb and examples-bookinfo-mysqldb.

They hold the sample's two ratings and speak a protocol of lines, not MongoDB's or MySQL's; they say so to whoever
connects and in their log. What a mesh sees is kept: a TCP service, where a MySQL client waits for the server's greeting
(a server-first protocol, which a proxy cannot guess from the first bytes) and a MongoDB client speaks first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from meshcourse.embedded.images import common, outbound

MONGO_PORT = 27017
MYSQL_PORT = 3306
RATINGS = [5, 4]
GREETING = "meshcourse stand-in for {product}: two ratings, one line of JSON a question; not the real database"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StoreError(Exception):
    """The store could not be reached (`connected` is False) or gave no ratings."""

    def __init__(self, message: str, *, connected: bool) -> None:
        super().__init__(message)
        self.connected = connected


def handler(product: str, *, server_first: bool) -> Handler:
    """A connection's server: greeting (first or second), then one answer a line until the client leaves."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if server_first:
                await _send(writer, {"hello": GREETING.format(product=product)})
            while line := await reader.readline():
                await _send(writer, _answer(product, line))
        except ConnectionError:
            pass
        finally:
            writer.close()

    return serve


def _answer(product: str, line: bytes) -> dict[str, object]:
    common.say(f"query {line.decode(errors='replace').rstrip()}")
    if line.strip() == b"find ratings":
        return {"hello": GREETING.format(product=product), "ratings": RATINGS}
    return {"error": GREETING.format(product=product)}


async def _send(writer: asyncio.StreamWriter, body: dict[str, object]) -> None:
    writer.write(json.dumps(body).encode() + b"\n")
    await writer.drain()


async def query(host: str, port: int, *, server_first: bool, seconds: float = 10.0) -> list[int]:
    """The ratings that a store holds, in order.

    :raises StoreError: if there are none to be had.
    """
    try:
        reader, writer = await asyncio.wait_for(outbound.connect(host, port), seconds)
    except (outbound.Unreachable, TimeoutError) as error:
        raise StoreError(str(error), connected=False) from error
    try:
        async with asyncio.timeout(seconds):
            if server_first and not await reader.readline():
                raise StoreError("no greeting", connected=False)
            writer.write(b"find ratings\n")
            ratings = json.loads(await reader.readline())["ratings"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(f"{type(error).__name__}: {error}", connected=True) from error
    finally:
        writer.close()
    return [int(stars) for stars in ratings]


async def _serve(product: str, port: int, *, server_first: bool) -> None:
    host, real = common.listen(port)
    server = await asyncio.start_server(handler(product, server_first=server_first), host, real)
    common.say(GREETING.format(product=product))
    common.say(f"listening on {host}:{real}")
    await common.until_stopped()
    server.close()


def mongodb(argv: list[str]) -> int:
    """Image examples-bookinfo-mongodb."""
    return common.run(lambda: _serve("MongoDB", MONGO_PORT, server_first=False))


def mysqldb(argv: list[str]) -> int:
    """Image examples-bookinfo-mysqldb."""
    return common.run(lambda: _serve("MySQL", MYSQL_PORT, server_first=True))
