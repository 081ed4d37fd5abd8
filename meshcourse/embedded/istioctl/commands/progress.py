"""The lines of an installation, as real istioctl prints them: one that changes, one for each part that is done."""

from __future__ import annotations

from typing import TextIO

from meshcourse.embedded.istioctl.manifests.components import Component

_GREEN, _RED, _YELLOW, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


class Progress:
    """On a terminal the current line is rewritten; elsewhere a line is printed only when it says something new."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._waiting: dict[str, tuple[Component, list[str]]] = {}
        self._last = ""

    def begin(self, component: Component) -> None:
        self._waiting[component.name] = (component, [])
        self._status()

    def waiting_for(self, component: Component, resources: list[str]) -> None:
        """`resources` as ``Deployment/istio-system/istiod``."""
        self._waiting[component.name] = (component, resources)
        self._status()

    def finished(self, component: Component) -> None:
        del self._waiting[component.name]
        self._line(_GREEN, "✔", f"{component.title} installed {component.icon}")
        self._status()

    def failed(self, component: Component, why: str) -> None:
        self._waiting.pop(component.name, None)
        self._line(_RED, "✘", f"{component.title} encountered an error: {why}")

    def pruning(self) -> None:
        self._show("Pruning removed resources")

    def complete(self, what: str) -> None:
        """`what` is ``Installation complete`` or ``Uninstall complete``."""
        self._line(_GREEN, "✔", what)

    def note(self, text: str) -> None:
        """A line of its own, for instance why something takes long."""
        self._clear()
        self._out.write(f"  {text}\n")
        self._last = ""
        self._out.flush()

    def _status(self) -> None:
        if not self._waiting:
            return
        titles = ", ".join(sorted(one.title for one, _ in self._waiting.values()))
        resources = sorted(r for _, waiting in self._waiting.values() for r in waiting)
        tail = f" Waiting for {', '.join(resources)}" if resources else ""
        self._show(f"Processing resources for {titles}.{tail}")

    def _show(self, text: str) -> None:
        if text == self._last:
            return
        self._last = text
        if self._terminal:
            self._out.write(f"\r\x1b[K{_YELLOW}-{_PLAIN} {text}")
        else:
            self._out.write(f"- {text}\n")
        self._out.flush()

    def _line(self, colour: str, sign: str, text: str) -> None:
        self._clear()
        mark = f"{colour}{sign}{_PLAIN}" if self._terminal else sign
        self._out.write(f"{mark} {text}\n")
        self._last = ""
        self._out.flush()

    def _clear(self) -> None:
        if self._terminal:
            self._out.write("\r\x1b[K")
