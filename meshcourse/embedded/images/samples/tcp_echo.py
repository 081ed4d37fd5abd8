"""tcp-echo: sends every line back with a prefix (istio/istio, samples/tcp-echo)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from meshcourse.embedded.images import common

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def arguments(argv: list[str]) -> tuple[list[int], str]:
    """Ports and prefix from ``PORT[,PORT…] PREFIX``; without them 9000 and hello, as the image has it.

    :raises ValueError: if there is one argument only, or a port is no number.
    """
    words = argv[1:]
    if words and not words[0][:1].isdigit():  # a pod may spell the program out as its command
        words = words[1:]
    if not words:
        return [9000], "hello"
    ports, prefix = words
    return [int(port) for port in ports.split(",")], prefix


def handler(prefix: str) -> Handler:
    """A connection's server."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                answer = prefix.encode() + b" " + line
                common.say(f"request: {line.decode(errors='replace').rstrip()}")
                common.say(f"response: {answer.decode(errors='replace').rstrip()}")
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, ValueError) as error:
            common.say(f"failed to read data, err: {error}")
        finally:
            writer.close()

    return echo


async def serve(ports: list[int], prefix: str) -> None:
    """Listen at every port until SIGTERM."""
    servers = []
    try:
        for port in ports:
            host, real = common.listen(port)
            servers.append(await asyncio.start_server(handler(prefix), host, real))
            common.say(f"listening on {host}:{real}, prefix: {prefix}")
        await common.until_stopped()
    finally:
        for server in servers:
            server.close()


def main(argv: list[str]) -> int:
    """Image tcp-echo-server."""
    try:
        ports, prefix = arguments(argv)
    except ValueError:
        common.say("usage: tcp-echo PORT[,PORT...] PREFIX")
        return 1
    return common.run(lambda: serve(ports, prefix))
