"""What the API server asks of the node that runs a pod (the role of a kubelet's own HTTP API).

The kubelet implements this protocol structurally; the daemon hands it over. Errors are `ApiError` in
the words of a real kubelet (``container "x" in pod "y" is waiting to start: ContainerCreating`` and so on).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The query parameters of ``pods/log``; None means "not limited"."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    limit_bytes: int | None = None


class ExecSession(Protocol):
    """A running command. Readers end with EOF; `wait` gives the exit code."""

    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader | None  # None with a TTY (merged into stdout)

    async def write(self, data: bytes) -> None:
        """Feed standard input."""
        ...

    async def close_stdin(self) -> None: ...

    def resize(self, columns: int, rows: int) -> None: ...

    async def wait(self) -> int: ...

    async def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Usage:
    """Resource use over `window` seconds: CPU in cores, memory in bytes (working set)."""

    cpu: float
    memory: int
    window: float


class NodeBackend(Protocol):
    def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]: ...

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool,
        tty: bool,
    ) -> ExecSession: ...

    async def dial(
        self, namespace: str, pod: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a pod's port for port-forward."""
        ...

    def pod_usage(self, namespace: str, pod: str) -> dict[str, Usage]:
        """Use by container; empty if the pod has not run long enough to tell."""
        ...

    def node_usage(self) -> Usage: ...
