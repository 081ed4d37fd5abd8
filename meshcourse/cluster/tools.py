"""Running the command-line tools that drive a mesh (istioctl, kubectl), with their output in one stream."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshcourse.cluster.errors import ClusterError


class ToolError(ClusterError):
    """A tool ended with a non-zero exit code; its output says why."""

    def __init__(self, command: str, code: int, output: str) -> None:
        super().__init__(f"{command} ended with exit code {code}", remedy=output.strip())
        self.code = code
        self.output = output


@dataclass(frozen=True, slots=True)
class Done:
    """What a tool printed (stdout and stderr as a terminal would show them) and its exit code."""

    command: str
    code: int
    output: str

    def check(self) -> Done:
        """Itself.

        :raises ToolError: if the exit code is not 0.
        """
        if self.code:
            raise ToolError(self.command, self.code, self.output)
        return self


def run(
    command: Sequence[str],
    *,
    name: str = "",
    env: Mapping[str, str] | None = None,
    text: str | None = None,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Done:
    """Run a tool to its end.

    :param name: how errors call it (default: the command's first word).
    :param text: standard input; without it the tool reads nothing.
    :param folder: its working directory.
    :param on_line: called with each line (without its newline) as it is printed.
    :raises ClusterError: if there is no such program.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=folder,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise ClusterError(f"there is no program {command[0]} on this machine") from None
    with process:
        lines = _converse(process, text, on_line)
        code = process.wait()
    return Done(name or os.path.basename(command[0]), code, "".join(lines))


def _converse(
    process: subprocess.Popen[str], text: str | None, on_line: Callable[[str], None] | None
) -> list[str]:
    try:
        if process.stdin is not None:
            process.stdin.write(text or "")
            process.stdin.close()
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))
        return lines
    except BaseException:
        process.terminate()  # an interrupted cell must not leave the tool behind
        raise
