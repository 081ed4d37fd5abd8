"""The root of every error a learner may see. No I/O, no imports from other rooms."""

from __future__ import annotations


class MeshcourseError(Exception):
    """An error with a remedy.

    :param message: what happened, in one sentence.
    :param remedy: what the learner can do about it ("" if nothing sensible is known).
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.remedy}" if self.remedy else self.message

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback (IPython's protocol): the learner did not write our code."""
        return [str(self)]
