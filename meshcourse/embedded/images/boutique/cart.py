"""cartservice: baskets, in redis if REDIS_ADDR says where it is, else in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Protocol

import grpc

from meshcourse.embedded.images import common, outbound
from meshcourse.embedded.images.boutique import messages, resp, rpc

PORT = 7070
#: Seconds that redis gets to answer.
TIMEOUT = 5.0
#: Seconds that a connection to redis is kept: our proxies count the bytes of a TCP connection when it ends.
MAX_AGE = 5.0


class StoreError(Exception):
    """The store cannot be reached, or gave no sense."""


class Store(Protocol):
    """Where baskets are kept, as bytes by user."""

    async def get(self, user: str) -> bytes | None:
        """A user's basket; None if there is none."""

    async def set(self, user: str, basket: bytes) -> None:
        """Keep a user's basket."""

    def close(self) -> None:
        """Let go of connections."""


class Memory:
    """A store for one replica, and until it ends."""

    def __init__(self) -> None:
        self._baskets: dict[str, bytes] = {}

    async def get(self, user: str) -> bytes | None:
        """As `Store.get`."""
        return self._baskets.get(user)

    async def set(self, user: str, basket: bytes) -> None:
        """As `Store.set`."""
        self._baskets[user] = basket

    def close(self) -> None:
        """Nothing to let go of."""


class Redis:
    """A store over one connection at a time, opened when there is something to ask."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self._host, self._port = host, int(port or 6379)
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _ask(self, *words: bytes | str) -> resp.Value:
        async with self._lock:
            for fresh in (self._streams is None, True):
                try:
                    return await asyncio.wait_for(self._once(words), TIMEOUT)
                except (
                    OSError,
                    asyncio.IncompleteReadError,
                    outbound.Unreachable,
                    resp.ProtocolError,
                ) as error:
                    self.close()
                    # A connection that has been idle may have died meanwhile: one more try on a new one.
                    if fresh:
                        raise StoreError(str(error)) from error
        raise AssertionError("unreachable")

    async def _once(self, words: tuple[bytes | str, ...]) -> resp.Value:
        if self._streams is None:
            self._streams = await outbound.connect(self._host, self._port)
            asyncio.get_running_loop().call_later(MAX_AGE, self._retire, self._streams[1])
        reader, writer = self._streams
        writer.write(resp.command(*words))
        await writer.drain()
        answer = await resp.read(reader)
        if isinstance(answer, Exception):
            raise StoreError(str(answer)) from answer
        return answer

    def _retire(self, writer: asyncio.StreamWriter) -> None:
        """Close a connection that has served its time, between two questions."""
        if self._streams is None or self._streams[1] is not writer:
            return
        if self._lock.locked():
            asyncio.get_running_loop().call_later(0.05, self._retire, writer)
        else:
            self.close()

    async def get(self, user: str) -> bytes | None:
        """As `Store.get`."""
        answer = await self._ask("GET", user)
        return answer if isinstance(answer, bytes) else None

    async def set(self, user: str, basket: bytes) -> None:
        """As `Store.set`."""
        await self._ask("SET", user, basket)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def store_of(env: Mapping[str, str] = os.environ) -> Store:
    """The store that the environment names; call it inside the event loop."""
    address = env.get("REDIS_ADDR", "")
    if not address:
        common.say("no REDIS_ADDR: baskets are kept in memory")
    return Redis(address) if address else Memory()


def methods(store: Store) -> dict[str, rpc.Method]:
    """The service's methods."""

    async def load(user: str) -> Any:
        try:
            return messages.of("Cart").FromString(await store.get(user) or b"")
        except StoreError as error:
            raise _unavailable(error) from error

    async def save(user: str, basket: Any) -> Any:
        try:
            await store.set(user, basket.SerializeToString())
        except StoreError as error:
            raise _unavailable(error) from error
        return messages.make("Empty")

    async def add_item(request: Any, forward: rpc.Metadata) -> Any:
        basket = await load(request.user_id)
        basket.user_id = request.user_id
        for item in basket.items:
            if item.product_id == request.item.product_id:
                item.quantity += request.item.quantity
                break
        else:
            basket.items.append(request.item)
        return await save(request.user_id, basket)

    async def get_cart(request: Any, forward: rpc.Metadata) -> Any:
        return await load(request.user_id)

    async def empty_cart(request: Any, forward: rpc.Metadata) -> Any:
        return await save(request.user_id, messages.make("Cart"))

    return {"AddItem": add_item, "GetCart": get_cart, "EmptyCart": empty_cart}


def _unavailable(error: StoreError) -> rpc.Failed:
    return rpc.Failed(grpc.StatusCode.FAILED_PRECONDITION, f"Can't access cart storage. {error}")


async def _serve() -> None:
    store = store_of()
    try:
        await rpc.serve("CartService", methods(store), rpc.port_of(PORT))
    finally:
        store.close()


def main(argv: list[str]) -> int:
    """Image microservices-demo/cartservice."""
    return common.run(_serve)
