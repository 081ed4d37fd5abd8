"""Go durations as flags take them (``90s``, ``1m30s``, ``500ms``) and ages as tables show them (``5m3s``). Pure."""

from __future__ import annotations

import re

from meshcourse.kubectl.errors import KubectlError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The seconds of a Go duration.

    :raises KubectlError: in Go's words, if it is none.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if text == "0":
        return 0.0
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text.removeprefix("-"):
        raise KubectlError(
            f'invalid argument "{text}" for duration: time: invalid duration "{text}"'
        )
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -total if text.startswith("-") else total


def age(span: float) -> str:
    """A span of seconds as kubectl shortens it: ``45s``, ``5m3s``, ``3h10m``, ``2d4h``, ``12d``.

    Source: apimachinery's ``duration.HumanDuration``.
    """
    whole = int(span)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    return f"{days // 365}y{days % 365}d" if days < 365 * 8 and days % 365 else f"{days // 365}y"
