"""Durations as users write them (Go's ``1m30s``, ``250ms``) and as proto3-JSON wants them
(seconds).
"""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"([0-9]*\.?[0-9]+)(h|ms|m|us|µs|ns|s)")
_WHOLE: Final = re.compile(rf"-?(?:{_PART.pattern})+|0")


def valid(text: str) -> bool:
    """Whether it is a Go duration."""
    return bool(_WHOLE.fullmatch(text))


def seconds(text: str) -> float:
    """Seconds of a Go duration."""
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -total if text.startswith("-") else total


def render(value: float) -> str:
    """Proto3-JSON: ``1.5s``."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"


def proto(text: str | None) -> str | None:
    """A user's duration for Envoy; None stays None."""
    return render(seconds(text)) if text else None
