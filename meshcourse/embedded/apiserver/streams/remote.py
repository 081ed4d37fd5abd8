"""exec and attach without a wire protocol: a session's streams on one side, a client's channels on the other.

Source: kubelet's remote command server (order of events, Status on the error channel).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from meshcourse.embedded.apiserver.streams.backend import ExecSession, NodeBackend
from meshcourse.embedded.apiserver.streams.options import RemoteOptions
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

CHUNK = 32 * 1024
#: How long output may still come after the command has ended (a child may hold it open).
_DRAIN_SECONDS = 5.0


class Channels(Protocol):
    """What a client sees. Reads return b"" at the end of input; writes wait until the client can take more."""

    async def read_stdin(self) -> bytes: ...

    async def read_size(self) -> tuple[int, int] | None:
        """Columns and rows of the client's terminal when it changes; None at the end."""
        ...

    async def write_stdout(self, data: bytes) -> None: ...

    async def write_stderr(self, data: bytes) -> None: ...

    async def finish(self, status: Object) -> None:
        """Say how it ended: a ``Status``."""
        ...

    async def closed(self) -> None:
        """Returns when the client has gone."""
        ...


async def start(
    backend: NodeBackend, namespace: str, pod: Object, wanted: RemoteOptions, *, attach: bool
) -> ExecSession:
    """Start the command, or join the container's own streams.

    :raises ApiError: as the node refuses.
    """
    name = objects.name(pod)
    if not attach:
        return await backend.exec(
            namespace, name, wanted.container, wanted.command, stdin=wanted.stdin, tty=wanted.tty
        )
    join: Callable[..., Any] | None = getattr(backend, "attach", None)
    if join is None:
        raise status.internal("the node does not support attach")
    session: ExecSession = await join(
        namespace, name, wanted.container, stdin=wanted.stdin, tty=wanted.tty
    )
    return session


async def run(session: ExecSession, channels: Channels, wanted: RemoteOptions) -> None:
    """Copy until the command ends or the client goes; then release the session."""
    helpers = [asyncio.create_task(_sizes(session, channels))]
    if wanted.stdin:
        helpers.append(asyncio.create_task(_input(session, channels)))
    work = asyncio.create_task(_outputs(session, channels, wanted))
    gone = asyncio.create_task(channels.closed())
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await channels.finish(exit_status(work.result()))
    except ConnectionError:
        pass  # the client went while being written to
    finally:
        await _cancel(*helpers, work, gone)
        await session.kill()


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _input(session: ExecSession, channels: Channels) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await channels.read_stdin():
            await session.write(data)
        await session.close_stdin()


async def _sizes(session: ExecSession, channels: Channels) -> None:
    while (size := await channels.read_size()) is not None:
        session.resize(*size)


async def _outputs(session: ExecSession, channels: Channels, wanted: RemoteOptions) -> int:
    """Copy the outputs; the exit code once the command has ended and what it wrote is through."""
    pumps = [asyncio.create_task(_pump(session.stdout, channels.write_stdout, wanted.stdout))]
    if session.stderr is not None:
        pumps.append(
            asyncio.create_task(_pump(session.stderr, channels.write_stderr, wanted.stderr))
        )
    try:
        code = await session.wait()
        await asyncio.wait(pumps, timeout=_DRAIN_SECONDS)
        for pump in pumps:
            if pump.done():
                pump.result()
        return code
    finally:
        await _cancel(*pumps)


async def _pump(source: asyncio.StreamReader, write: Callable[[bytes], Any], wanted: bool) -> None:
    while data := await source.read(CHUNK):
        if wanted:
            await write(data)


def exit_status(code: int) -> Object:
    """The Status of a command that ended with `code`."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure(error: ApiError) -> Object:
    """The Status of a command that could not be started."""
    found = error.to_status()
    found.pop("kind", None)
    found.pop("apiVersion", None)
    return found


def encode(outcome: Object, *, as_json: bool) -> bytes:
    """The error channel's content: a Status since protocol v4, before that a text (nothing on success)."""
    if as_json:
        return orjson.dumps(outcome)
    return str(outcome.get("message", "")).encode() if outcome["status"] == "Failure" else b""


def parse_size(data: bytes) -> tuple[int, int] | None:
    """``{"Width": 80, "Height": 24}``; None if it is something else."""
    try:
        found = orjson.loads(data)
        return int(found["Width"]), int(found["Height"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
