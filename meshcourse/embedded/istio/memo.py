"""Results that are kept as long as what they were made of is the same objects."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Memo:
    """A cache by key. A kept value is returned while all inputs are identical; an equal new value
    keeps the old object.

    `sweep` forgets what two consecutive generations did not ask for.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[tuple[object, ...], Any, int]] = {}
        self._generation = 0
        #: How often a value was built since the start (for tests and metrics).
        self.builds = 0

    def get(self, key: Hashable, inputs: tuple[object, ...], make: Callable[[], T]) -> T:
        """The value of `make()` for these inputs."""
        kept = self._kept.get(key)
        if kept is not None and _identical(kept[0], inputs):
            value = kept[1]
        else:
            self.builds += 1
            value = make()
            if kept is not None and kept[1] == value:
                value = kept[1]
        self._kept[key] = (inputs, value, self._generation)
        return value  # type: ignore[no-any-return]

    def keep(self, key: Hashable, value: T) -> T:
        """The value kept under `key` if it equals this one, else this one."""
        return self.get(key, (value,), lambda: value)

    def sweep(self) -> None:
        """Starts a new generation and drops values last used before the previous one."""
        oldest = self._generation - 1
        self._kept = {key: kept for key, kept in self._kept.items() if kept[2] >= oldest}
        self._generation += 1

    def __len__(self) -> int:
        return len(self._kept)


def _identical(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    return len(left) == len(right) and all(a is b for a, b in zip(left, right, strict=True))
