"""Asking an Envoy through its admin socket."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

_LIMIT = 5.0
#: Unix socket paths are limited to 104 bytes (macOS) or 108 (Linux).
_LONGEST = 100


async def get(socket: Path, path: str) -> str:
    """The body of a GET request.

    :raises OSError: if nobody answers.
    """
    limits = aiohttp.ClientTimeout(total=_LIMIT)
    with _short(socket) as name:
        connector = aiohttp.UnixConnector(path=name, force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=limits) as session:
            try:
                async with session.get(f"http://admin{path}") as answer:
                    answer.raise_for_status()
                    return await answer.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                raise OSError(f"{socket.name}: {error}") from error


async def text_values(socket: Path, pattern: str) -> dict[str, str]:
    """Statistics whose names match a regular expression, as text.

    :raises OSError: if nobody answers.
    """
    found = {}
    for line in (await get(socket, f"/stats?filter={pattern}")).splitlines():
        name, _, value = line.partition(": ")
        found[name] = value.strip('"')
    return found


async def listener_errors(socket: Path) -> dict[str, str]:
    """Listeners that Envoy could not set up: name → reason.

    :raises OSError: if nobody answers.
    """
    dump: dict[str, Any] = json.loads(await get(socket, "/config_dump?resource=dynamic_listeners"))
    states = dump.get("configs", [])
    return {
        state["name"]: state["error_state"].get("details", "")
        for state in states
        if "error_state" in state
    }


@contextlib.contextmanager
def _short(socket: Path) -> Iterator[str]:
    """A name for the socket that is short enough, through a descriptor of its directory if need be."""
    if len(os.fsencode(socket)) <= _LONGEST or not Path("/proc/self/fd").exists():
        yield str(socket)
        return
    directory = os.open(socket.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{socket.name}"
    finally:
        os.close(directory)
