"""The agent's log lines in Istio's console format: time, level, message, tab-separated."""

from __future__ import annotations

import datetime as dt
import sys


def _write(level: str, message: str) -> None:
    stamp = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    sys.stdout.write(f"{stamp}\t{level}\t{message}\n")
    sys.stdout.flush()


def info(message: str) -> None:
    _write("info", message)


def warn(message: str) -> None:
    _write("warn", message)


def error(message: str) -> None:
    _write("error", message)
