"""A view in which something can be clicked to see more of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from meshcourse.observe.jaeger import Trace
from meshcourse.widgets import spans
from meshcourse.widgets.live.watching import Watching, drawn
from meshcourse.widgets.picture import Table


class Detailed(Protocol):
    """A picture that knows more than it shows: `service_graph.View`, `spans.Waterfall`."""

    def details(self, name: str) -> Table | None: ...


class Picking(Watching):
    """Shows what `look` gives, and below it the details of what was clicked.

    :param every: seconds between two looks.
    """

    def __init__(self, look: Callable[[], Detailed], every: float = 2.0) -> None:
        self.chosen_name = ""
        super().__init__(look, every)

    def picked(self, name: str) -> None:
        """Show this from now on; the same once more hides it."""
        self.chosen_name = "" if name == self.chosen_name else name
        self.refresh()

    def compose(self, found: Any) -> tuple[str, str]:
        shown, words = drawn(found), repr(found)
        if self.chosen_name:
            more = found.details(self.chosen_name)
            more = (
                Table((self.chosen_name, ""), [("gone", "not in the picture any more")])
                if more is None
                else more
            )
            return f"{shown}<div class='mesh-details'>{drawn(more)}</div>", f"{words}\n\n{more!r}"
        return shown, words


class TraceView(Watching):
    """The newest traces, and one of them as a waterfall: the newest, or the one that was clicked.

    :param look: the newest traces, newest first.
    """

    def __init__(self, look: Callable[[], spans.Traces], every: float = 2.0) -> None:
        self.trace: Trace | None = None
        self.span = ""
        self._pinned = False
        super().__init__(look, every)

    def picked(self, name: str) -> None:
        """A trace by its id (it stays, while newer ones come), or a span of the one that is shown."""
        traces = {trace.id: trace for trace in self._look()}
        if name in traces:
            self.trace, self.span, self._pinned = traces[name], "", True
        else:
            self.span = "" if name == self.span else name
        self.refresh()

    def compose(self, found: Any) -> tuple[str, str]:
        if not self._pinned:
            whole = (trace for trace in found if len(trace.roots) == 1)
            self.trace = next(whole, next(iter(found), None))
        else:  # spans that came later belong to it
            self.trace = next(
                (t for t in found if self.trace and t.id == self.trace.id), self.trace
            )
        if self.trace is None:
            why = "no traces yet: is tracing on, and is there traffic?"
            return f"<i>{why}</i>", why
        fall = spans.draw(self.trace)
        parts = [found, fall, *filter(None, [fall.details(self.span)])]
        shown = "".join(f"<div class='mesh-details'>{drawn(each)}</div>" for each in parts)
        return shown, "\n\n".join(map(repr, parts))
