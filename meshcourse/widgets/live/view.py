"""One live view: controls above, a picture below. The browser's side is ``view.js``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from meshcourse.widgets.live import background

_HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True, slots=True)
class Button:
    """Something to press; reported as ``pressed(name)``."""

    name: str
    label: str
    enabled: bool = True
    kind: str = "button"


@dataclasses.dataclass(frozen=True, slots=True)
class Slider:
    """A number to choose; reported as ``chosen(name, value)``."""

    name: str
    label: str
    value: float
    min: float
    max: float
    step: float = 1
    unit: str = ""
    kind: str = "slider"


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A line to write; reported as ``typed(name, text)`` when it is left.

    :param hint: shown while it is empty.
    :param width: in characters.
    """

    name: str
    label: str
    value: str
    hint: str = ""
    width: int = 16
    kind: str = "text"


class View(anywidget.AnyWidget):  # type: ignore[misc]
    """Shows HTML under controls. Subclasses say what happens when a control is used.

    `words` says the same as the picture, for runs without a browser.
    """

    _esm = _HERE / "view.js"
    _css = _HERE / "view.css"
    html = traitlets.Unicode("").tag(sync=True)
    controls = traitlets.List([]).tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.words = ""
        self.watchers = 0
        self.on_msg(self._message)
        background.stop_on_interrupt()

    def show(self, html: str, words: str) -> None:
        """Draw something else."""
        self.words = words
        self.html = html

    def offer(self, controls: Sequence[Button | Slider | Text]) -> None:
        """Replace the controls."""
        self.controls = [dataclasses.asdict(each) for each in controls]

    def shown(self) -> None:
        """Somebody looks at it now."""

    def gone(self) -> None:
        """Nobody looks any more."""

    def pressed(self, name: str) -> None:
        """A button was pressed."""

    def chosen(self, name: str, value: float) -> None:
        """A slider was moved."""

    def typed(self, name: str, text: str) -> None:
        """A line was written."""

    def picked(self, name: str) -> None:
        """Something in the picture that carries ``data-pick`` was clicked."""

    def stop(self) -> None:
        """End all work in the background."""

    def close(self) -> None:
        """End the work and take the view away."""
        self.stop()
        super().close()

    def _message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("type")
        if kind == "shown":
            self.watchers += 1
            self.shown()
        elif kind == "gone":
            self.watchers = max(0, self.watchers - 1)
            if not self.watchers:
                self.gone()
        elif kind == "pressed":
            self.pressed(str(content["name"]))
        elif kind == "set":
            self._set(str(content["name"]), content["value"])
        elif kind == "picked":
            self.picked(str(content["name"]))

    def _set(self, name: str, value: Any) -> None:
        if isinstance(value, str):
            self.typed(name, value)
        else:
            self.chosen(name, float(value))

    def __repr__(self) -> str:
        return self.words

    def _repr_mimebundle_(self, **named: Any) -> Any:
        """The widget for a browser; the still picture and the words for everything else."""
        found = super()._repr_mimebundle_(**named)
        data, metadata = found if isinstance(found, tuple) else (found or {}, {})
        return {**data, "text/html": self.html, "text/plain": self.words}, metadata
