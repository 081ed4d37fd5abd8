"""What an analyzer is."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection as Container
from dataclasses import dataclass

from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.messages import Messages


@dataclass(frozen=True, slots=True)
class Analyzer:
    """Pure: messages out of a collection.

    :param name: as ``istioctl analyze -L`` lists it.
    :param inputs: kinds without which it is skipped.
    """

    name: str
    description: str
    inputs: tuple[str, ...]
    run: Callable[[Collection], Messages]

    def skipped(self, available: Container[str]) -> bool:
        """Whether a kind that it needs is not to be had."""
        return any(kind not in available for kind in self.inputs)
