"""Collecting what is wrong with an object, in the words of Kubernetes' field errors.

Source: apimachinery's ``field.Error`` (reasons, and how a bad value is rendered).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from meshcourse.embedded.kube.status import Cause

NOT_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"


def render(value: Any) -> str:
    """A bad value as it appears after ``Invalid value:``."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = json.dumps(
        value, separators=(",", ":"), sort_keys=isinstance(value, dict), ensure_ascii=False
    )
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class Report:
    """The causes found so far, in the order of the fields. Paths are dotted, with ``[i]`` for list elements."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def _add(self, reason: str, message: str, path: str, detail: str = "") -> None:
        text = f"{message}: {detail}" if detail else message
        self.causes.append(Cause(f"FieldValue{reason}", text, path))

    def invalid(self, path: str, value: Any, detail: str) -> None:
        self._add("Invalid", f"Invalid value: {render(value)}", path, detail)

    def invalids(self, path: str, value: Any, details: Iterable[str]) -> None:
        """One cause for each message about the same value."""
        for detail in details:
            self.invalid(path, value, detail)

    def required(self, path: str, detail: str = "") -> None:
        self._add("Required", "Required value", path, detail)

    def forbidden(self, path: str, detail: str) -> None:
        self._add("Forbidden", "Forbidden", path, detail)

    def duplicate(self, path: str, value: Any) -> None:
        self._add("Duplicate", f"Duplicate value: {render(value)}", path)

    def not_found(self, path: str, value: Any) -> None:
        self._add("NotFound", f"Not found: {render(value)}", path)

    def not_supported(self, path: str, value: Any, allowed: Sequence[str]) -> None:
        listed = ", ".join(json.dumps(each) for each in allowed)
        detail = f"supported values: {listed}"
        self._add("NotSupported", f"Unsupported value: {render(value)}", path, detail)

    def too_long(self, path: str, most: int) -> None:
        self._add("TooLong", "Too long", path, f"may not be more than {most} byte{_s(most)}")

    def too_many(self, path: str, actual: int, most: int) -> None:
        self._add(
            "TooMany", f"Too many: {actual}", path, f"must have at most {most} item{_s(most)}"
        )

    def type_invalid(self, path: str, value: Any, detail: str) -> None:
        self._add("TypeInvalid", f"Invalid value: {render(value)}", path, detail)

    # Checks that recur in every kind.

    def not_negative(self, path: str, value: Any) -> None:
        if isinstance(value, int) and value < 0:
            self.invalid(path, value, NOT_NEGATIVE)

    def one_of(
        self, path: str, value: Any, allowed: Sequence[str], *, required: bool = False
    ) -> None:
        """`value` must be one of `allowed`; absent is fine unless `required`."""
        if value in (None, ""):
            if required:
                self.required(path)
        elif value not in allowed:
            self.not_supported(path, value, allowed)

    def immutable(self, path: str, new: Any, old: Any, detail: str = IMMUTABLE) -> None:
        if (new or None) != (old or None):
            self.invalid(path, new, detail)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
