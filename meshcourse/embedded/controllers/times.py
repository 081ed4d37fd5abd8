"""Kubernetes time stamps as numbers."""

from __future__ import annotations

import datetime as dt
import time


def seconds(stamp: str | None) -> float | None:
    """metav1.Time or MicroTime as seconds since the epoch; None for nothing."""
    if not stamp:
        return None
    return dt.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def since(stamp: str | None) -> float | None:
    """Seconds that have passed since `stamp`; None for nothing."""
    then = seconds(stamp)
    return None if then is None else time.time() - then


def stamp(moment: float) -> str:
    """Seconds since the epoch as metav1.Time."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
