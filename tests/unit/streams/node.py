"""A node that answers as told, and a server in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiohttp import web

from meshcourse.embedded.apiserver import streams
from meshcourse.embedded.apiserver.streams.backend import ExecSession, LogOptions, Usage
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

POD: Object = {
    "metadata": {"name": "p", "namespace": "n"},
    "spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]},
}
TWO: Object = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}}


class Session:
    """A command that copies its input to its output, upper case, and ends with `code` when the input ends."""

    def __init__(self, *, stdin: bool, tty: bool, code: int = 0) -> None:
        self.stdout = asyncio.StreamReader()
        self.stderr = None if tty else asyncio.StreamReader()
        self.sizes: list[tuple[int, int]] = []
        self.killed = asyncio.Event()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._wanted = code
        if not stdin:
            self.end()

    async def write(self, data: bytes) -> None:
        self.stdout.feed_data(data.upper())

    async def close_stdin(self) -> None:
        self.end()

    def end(self) -> None:
        if self._code.done():
            return
        self.stdout.feed_data(b"out")
        self.stdout.feed_eof()
        if self.stderr is not None:
            self.stderr.feed_data(b"err")
            self.stderr.feed_eof()
        self._code.set_result(self._wanted)

    def resize(self, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))

    async def wait(self) -> int:
        return await self._code

    async def kill(self) -> None:
        self.killed.set()


class Node:
    """`NodeBackend`. What was asked is in `asked`; `refusal` is raised by exec and logs."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.sessions: list[Session] = []
        self.refusal: ApiError | None = None
        self.code = 0
        self.port = 0
        self.chunks: list[bytes] = [b"one\n", b"two\n"]
        self.following = asyncio.Event()
        self.log_closed = asyncio.Event()

    async def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        self.asked.append((namespace, pod, container, options))
        if self.refusal is not None:
            raise self.refusal
        try:
            for chunk in self.chunks:
                yield chunk
            if options.follow:
                self.following.set()
                await asyncio.Event().wait()
        finally:
            self.log_closed.set()

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool,
        tty: bool,
    ) -> ExecSession:
        self.asked.append((namespace, pod, container, tuple(command), stdin, tty))
        if self.refusal is not None:
            raise self.refusal
        self.sessions.append(Session(stdin=stdin, tty=tty, code=self.code))
        return self.sessions[-1]

    async def attach(
        self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool
    ) -> ExecSession:
        return await self.exec(namespace, pod, container, ("attached",), stdin=stdin, tty=tty)

    async def dial(
        self, namespace: str, pod: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked.append(port)
        if port == 9999:
            raise status.internal("connect: connection refused")
        return await asyncio.open_connection("127.0.0.1", self.port)

    def pod_usage(self, namespace: str, pod: str) -> dict[str, Usage]:
        return {}

    def node_usage(self) -> Usage:
        return Usage(0, 0, 1)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers, upper case, only once the caller has finished: half-close must get through."""
    data = await reader.read()
    writer.write(data.upper())
    await writer.drain()
    writer.close()


def application(node: Node, pod: Object = POD) -> web.Application:
    """``/{subresource}`` of one pod; refusals become a Status."""

    async def handle(request: web.Request) -> web.StreamResponse:
        subresource = request.match_info["subresource"]
        try:
            return await streams.handler(request, node, "n", pod, subresource)
        except ApiError as error:
            return web.json_response(error.to_status(), status=error.code)

    app = web.Application()
    app.router.add_route("*", "/{subresource}", handle)
    return app
