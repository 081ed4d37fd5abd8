"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

#: Seconds after which a task that survived its cancellation is cancelled again.
_INSISTENCE = 0.05


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks` and return when they have ended, however they do.

    Up to Python 3.11 `asyncio.wait_for` loses a cancellation that arrives together with what it waits for, so that one
    `cancel` may not be enough.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_INSISTENCE)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen, and of no interest any more
