"""What a person sees while something long happens: a line per stage with its seconds, the current one alive.

The same stages go to a terminal, to a notebook cell (which keeps the finished lines), or plainly to a log.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

#: Live lines are redrawn at most this often (seconds).
REDRAW = 0.2


class Sink(Protocol):
    """Where progress is drawn."""

    def line(self, text: str) -> None:
        """A line that stays."""
        ...

    def live(self, text: str) -> None:
        """The line that is replaced by the next one."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One finished stage and how long it took."""

    title: str
    seconds: float


class Progress:
    """Collects stages and draws them on a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._drawn = 0.0
        self._title = ""
        self.stages: list[Stage] = []

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Draw `title` while the block runs, and its seconds when it is done."""
        started, outer, self._title = time.monotonic(), self._title, title
        self.note("", now=True)
        try:
            yield
        except BaseException:
            self._sink.line(f"✗ {title} ({time.monotonic() - started:.1f} s)")
            raise
        finally:
            self._title = outer
        self.finished(title, time.monotonic() - started)

    def note(self, text: str, *, now: bool = False) -> None:
        """What the current stage is doing at this moment."""
        if now or time.monotonic() - self._drawn >= REDRAW:
            self._drawn = time.monotonic()
            self._sink.live(f"… {self._title}{': ' if text and self._title else ''}{text}")

    def clear(self) -> None:
        """Nothing is being done any more: the live line goes away."""
        self._sink.live("")

    def say(self, text: str) -> None:
        """A line that stays, for what is worth keeping whatever happens next."""
        self._sink.line(text)

    def finished(self, title: str, seconds: float) -> None:
        """Record and draw a stage that was timed elsewhere."""
        self.stages.append(Stage(title, seconds))
        self._sink.line(f"✓ {title:<44} {seconds:6.1f} s")


class Silent:
    """Draws nothing."""

    def line(self, text: str) -> None:
        del text

    def live(self, text: str) -> None:
        del text


class Log:
    """Writes the lines that stay, for files and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def live(self, text: str) -> None:
        del text


class Terminal:
    """Rewrites the last line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def line(self, text: str) -> None:
        self._stream.write(f"\r\x1b[2K{text}\n")
        self._stream.flush()

    def live(self, text: str) -> None:
        width = _columns(self._stream)
        self._stream.write(f"\r\x1b[2K{text[: width - 1]}\r")
        self._stream.flush()


class Notebook:
    """Updates one output of the running cell; the finished lines stay in the saved notebook."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None
        self._lines: list[str] = []

    def line(self, text: str) -> None:
        self._lines.append(text)
        self._show("\n".join(self._lines))

    def live(self, text: str) -> None:
        self._show("\n".join([*self._lines, text]))

    def _show(self, text: str) -> None:
        shown = {"text/plain": text}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def auto() -> Progress:
    """Progress where the caller looks: a notebook cell, a terminal, or plain lines on stderr."""
    if in_notebook():
        from IPython.display import display

        return Progress(Notebook(display))
    if sys.stderr.isatty():
        return Progress(Terminal(sys.stderr))
    return Progress(Log(sys.stderr))


def silent() -> Progress:
    """Progress that nobody sees; its stages are recorded all the same."""
    return Progress(Silent())


def in_notebook() -> bool:
    """Does this code run in a Jupyter kernel?"""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 80
