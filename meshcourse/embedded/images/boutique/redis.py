"""redis: a small RESP server in memory, behind the image ``redis``. A stand-in: no persistence, few commands."""

from __future__ import annotations

import asyncio
import fnmatch
import time
from collections.abc import Callable

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import resp

PORT = 6379
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


class Store:
    """The data, and the commands on it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._data: dict[bytes, bytes | dict[bytes, bytes]] = {}
        self._ends: dict[bytes, float] = {}
        self._clock = clock

    def run(self, words: list[bytes]) -> object:
        """A command's answer, for `resp.encode`; errors are answers too."""
        name = words[0].decode(errors="replace").lower()
        method = getattr(self, f"_do_{name}", None)
        if method is None:
            shown = words[0].decode(errors="replace")
            return resp.CommandError(f"ERR unknown command '{shown}'")
        try:
            return method(*words[1:])
        except resp.CommandError as error:
            return error
        except TypeError:
            return resp.CommandError(f"ERR wrong number of arguments for '{name}' command")
        except ValueError:
            return resp.CommandError("ERR value is not an integer or out of range")

    def _find(self, key: bytes) -> bytes | dict[bytes, bytes] | None:
        if self._ends.get(key, float("inf")) <= self._clock():
            self._do_del(key)
        return self._data.get(key)

    def _text(self, key: bytes) -> bytes | None:
        value = self._find(key)
        if isinstance(value, dict):
            raise resp.CommandError(WRONG_TYPE)
        return value

    def _hash(self, key: bytes) -> dict[bytes, bytes]:
        value = self._find(key)
        if isinstance(value, bytes):
            raise resp.CommandError(WRONG_TYPE)
        return value or {}

    # Connection

    def _do_ping(self, *text: bytes) -> object:
        return text[0] if text else "PONG"

    def _do_echo(self, text: bytes) -> object:
        return text

    def _do_select(self, number: bytes) -> object:
        return "OK" if int(number) == 0 else resp.CommandError("ERR DB index is out of range")

    def _do_client(self, *words: bytes) -> object:
        return "OK"

    def _do_command(self, *words: bytes) -> object:
        return []

    def _do_info(self, *words: bytes) -> object:
        return f"# Server\r\nredis_version:0.0.0-meshcourse\r\n# Keyspace\r\ndb0:keys={len(self._data)}\r\n".encode()

    # Strings

    def _do_get(self, key: bytes) -> object:
        return self._text(key)

    def _do_set(self, key: bytes, value: bytes, *options: bytes) -> object:
        self._data[key] = value
        self._ends.pop(key, None)
        words = [word.lower() for word in options]
        if b"ex" in words:
            self._do_expire(key, options[words.index(b"ex") + 1])
        return "OK"

    def _do_incr(self, key: bytes) -> object:
        number = int(self._text(key) or b"0") + 1
        self._data[key] = str(number).encode()
        return number

    # Hashes

    def _do_hset(self, key: bytes, *pairs: bytes) -> object:
        if not pairs or len(pairs) % 2:
            raise TypeError
        fields = dict(self._hash(key))
        fresh = len(set(pairs[::2]) - set(fields))
        fields.update(zip(pairs[::2], pairs[1::2], strict=True))
        self._data[key] = fields
        return fresh

    def _do_hmset(self, key: bytes, *pairs: bytes) -> object:
        self._do_hset(key, *pairs)
        return "OK"

    def _do_hget(self, key: bytes, field: bytes) -> object:
        return self._hash(key).get(field)

    def _do_hmget(self, key: bytes, *fields: bytes) -> object:
        return [self._hash(key).get(field) for field in fields]

    def _do_hgetall(self, key: bytes) -> object:
        return [part for pair in self._hash(key).items() for part in pair]

    # Keys

    def _do_del(self, *keys: bytes) -> object:
        for key in keys:
            self._ends.pop(key, None)
        return sum(self._data.pop(key, None) is not None for key in keys)

    def _do_exists(self, *keys: bytes) -> object:
        return sum(self._find(key) is not None for key in keys)

    def _do_keys(self, pattern: bytes) -> object:
        return [
            key
            for key in sorted(self._data)
            if self._find(key) is not None and fnmatch.fnmatchcase(key, pattern)
        ]

    def _do_dbsize(self) -> object:
        return len(self._data)

    def _do_flushall(self, *words: bytes) -> object:
        self._data.clear()
        self._ends.clear()
        return "OK"

    def _do_expire(self, key: bytes, seconds: bytes) -> object:
        if self._find(key) is None:
            return 0
        self._ends[key] = self._clock() + int(seconds)
        return 1

    def _do_ttl(self, key: bytes) -> object:
        if self._find(key) is None:
            return -2
        return round(self._ends[key] - self._clock()) if key in self._ends else -1


async def talk(store: Store, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A connection to its end."""
    try:
        while words := await resp.read_command(reader):
            if words[0].lower() == b"quit":
                writer.write(resp.encode("OK"))
                return
            writer.write(resp.encode(store.run(words)))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    except (resp.ProtocolError, ValueError, asyncio.LimitOverrunError) as error:
        writer.write(resp.encode(resp.CommandError(f"ERR Protocol error: {error}")))
    finally:
        writer.close()


async def _serve() -> None:
    store = Store()
    host, real = common.listen(PORT)
    server = await asyncio.start_server(
        lambda reader, writer: talk(store, reader, writer), host, real
    )
    common.say(f"meshcourse stand-in for redis, in memory only, at {host}:{real}")
    await common.until_stopped()
    server.close()


def main(argv: list[str]) -> int:
    """Image redis."""
    return common.run(_serve)
