"""kubectl, whichever there is: the real one on PATH, otherwise ours. Both print into one stream."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from meshcourse.cluster import tools
from meshcourse.cluster.cluster import Cluster
from meshcourse.kubectl import main
from meshcourse.kubectl.context import Context

#: ``own`` makes the course's own kubectl run even where a real one is on PATH.
CHOICE = "MESHCOURSE_KUBECTL"


def real() -> str | None:
    """The real kubectl's path, None if there is none or ours is asked for."""
    return None if os.environ.get(CHOICE) == "own" else shutil.which("kubectl")


def run(
    cluster: Cluster,
    args: Sequence[str],
    *,
    text: str | None = None,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> tools.Done:
    """Run a command to its end.

    :param text: standard input, for ``-f -``.
    :param folder: where relative file names are looked up (default: the working directory).
    """
    if program := real():
        command = [program, *args]
        return tools.run(
            command,
            name="kubectl",
            env=cluster.environment(),
            text=text,
            on_line=on_line,
            folder=folder,
        )
    return own(cluster, args, text=text, folder=folder, on_line=on_line)


def own(
    cluster: Cluster,
    args: Sequence[str],
    *,
    text: str | None = None,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    write: Callable[[str], None] | None = None,
) -> tools.Done:
    """Run the course's own kubectl in this process.

    :param write: given every piece of text as it is printed (`on_line` gets whole lines).
    """
    printed: list[str] = []

    def keep(piece: str) -> None:
        printed.append(piece)
        if write is not None:
            write(piece)
        if on_line is not None:
            for line in piece.splitlines():
                on_line(line)

    context = Context(cluster, keep, text or "", folder or Path.cwd())
    return tools.Done("kubectl", main.run(context, args), "".join(printed))
