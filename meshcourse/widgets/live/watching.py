"""A view that looks again every few seconds, while somebody looks at it."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from meshcourse.errors import MeshcourseError
from meshcourse.widgets.live.background import Ticker
from meshcourse.widgets.live.view import View

#: What there is to see now: something with a picture or a table.
Look = Callable[[], Any]


class Watching(View):
    """Shows what `look` gives, again and again.

    :param every: seconds between two looks.
    """

    def __init__(self, look: Look, every: float = 2.0) -> None:
        super().__init__()
        self._look = look
        self._ticker = Ticker(self.refresh, every)
        self.refresh()

    @property
    def running(self) -> bool:
        return self._ticker.running

    def refresh(self) -> None:
        """Look now. What cannot be seen is said in the view."""
        try:
            found = self._look()
        except MeshcourseError as error:
            self.show(f"<i>{html.escape(str(error))}</i>", str(error))
        else:
            self.show(*self.compose(found))

    def compose(self, found: Any) -> tuple[str, str]:
        """What to show of what was found: HTML, and the same in words."""
        return drawn(found), repr(found)

    def shown(self) -> None:
        self._ticker.start()

    def gone(self) -> None:
        self._ticker.stop()

    def stop(self) -> None:
        self._ticker.stop()


def drawn(found: Any) -> str:
    """The HTML of a picture, a table, or at least of its words."""
    for name in ("_repr_svg_", "_repr_html_"):
        if (method := getattr(found, name, None)) is not None:
            return str(method())
    return f"<pre>{html.escape(repr(found))}</pre>"
