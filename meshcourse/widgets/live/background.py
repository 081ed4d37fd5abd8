"""Work in the background that ends when it should: on `stop`, and when the kernel is interrupted."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any


class Ticker:
    """Calls a function again and again in a thread of its own.

    :param every: seconds between two calls.
    """

    def __init__(self, work: Callable[[], None], every: float) -> None:
        self._work, self.every = work, every
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin; nothing if it runs already."""
        if self.running and not self._stop.is_set():
            return
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), daemon=True)
        self._thread.start()
        STOPPABLE.add(self)

    def stop(self) -> None:
        """End, after the call that is under way."""
        self._stop.set()

    def join(self, seconds: float = 10.0) -> None:
        """Wait until it has ended."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._work()
            stop.wait(self.every)


#: Everything with a `stop` that may be running.
STOPPABLE: weakref.WeakSet[Any] = weakref.WeakSet()


def stop_all() -> None:
    """End all work in the background."""
    for each in list(STOPPABLE):
        each.stop()


def stop_on_interrupt() -> None:
    """An interrupt of the kernel ends the background as well, while a cell runs and while none does."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or getattr(shell, "kernel", None) is None or hasattr(shell, "_mesh_interrupt"):
        return
    shell._mesh_interrupt = True
    shell.events.register("post_run_cell", _after_cell)
    # After every cell the kernel puts back the handler that it found before; this one it shall find.
    shell.kernel.saved_sigint_handler = lambda _number, _frame: stop_all()


def _after_cell(result: Any) -> None:
    if isinstance(result.error_in_exec, KeyboardInterrupt):
        stop_all()
