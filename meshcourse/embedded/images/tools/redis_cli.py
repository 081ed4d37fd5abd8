"""redis-cli: one command to a redis and its answer; through the pod's proxy, unless the redis is in this container."""

from __future__ import annotations

import asyncio
import os
import sys

from meshcourse.embedded.images import common, outbound
from meshcourse.embedded.images.boutique import resp

PORT = 6379
USAGE = "usage: redis-cli [-h HOST] [-p PORT] COMMAND [ARGUMENT...]"


def arguments(argv: list[str]) -> tuple[str, int, list[str]]:
    """Host, port and the command; without -h the redis in this very container.

    :raises ValueError: if they make no sense.
    """
    words = argv[1:]
    host, port = common.listen(PORT, os.environ)
    while words and words[0] in ("-h", "-p", "-n") and len(words) > 1:
        option, value = words.pop(0), words.pop(0)
        if option == "-h":
            host, port = value, PORT
        if option == "-p":
            port = int(value)
    if not words or words[0].startswith("-"):
        raise ValueError("no command")
    return host, port, words


def render(value: resp.Value, indent: str = "") -> str:
    """An answer as redis-cli prints it."""
    if value is None:
        return "(nil)"
    if isinstance(value, Exception):
        return f"(error) {value}"
    if isinstance(value, int):
        return f"(integer) {value}"
    if isinstance(value, bytes):
        return (
            '"'
            + "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in value)
            + '"'
        )
    lines = [f"{number}) {render(item, indent + '   ')}" for number, item in enumerate(value, 1)]
    return f"\n{indent}".join(lines) if lines else "(empty array)"


def raw(value: resp.Value) -> str:
    """An answer as redis-cli prints it where no terminal is."""
    if isinstance(value, list):
        return "\n".join(raw(item) for item in value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


async def ask(host: str, port: int, words: list[str]) -> resp.Value:
    """Send a command.

    :raises outbound.Unreachable: if there is no redis.
    """
    inside = (host, port) == common.listen(PORT, os.environ)
    reader, writer = await outbound.connect(host, port, outbound.Proxies() if inside else None)
    try:
        writer.write(resp.command(*words))
        return await resp.read(reader)
    except (OSError, asyncio.IncompleteReadError, resp.ProtocolError) as error:
        raise outbound.Unreachable(f"{host}:{port}: {error}") from error
    finally:
        writer.close()


def main(argv: list[str]) -> int:
    """``redis-cli …``."""
    try:
        host, port, words = arguments(argv)
    except ValueError:
        print(USAGE, file=sys.stderr)
        return 1
    try:
        answer = asyncio.run(ask(host, port, words))
    except outbound.Unreachable as error:
        print(f"Could not connect to Redis at {error}", file=sys.stderr)
        return 1
    print(render(answer) if sys.stdout.isatty() else raw(answer))
    return 0
