"""Asking a person before something is done to a cluster that is not the course's."""

from __future__ import annotations

import os
import sys

#: ``yes`` says yes to everything the course asks.
VARIABLE = "MESHCOURSE_INSTALL"


def given(question: str) -> bool:
    """Whether somebody agrees. Without a terminal nobody is asked, and nobody does."""
    said = os.environ.get(VARIABLE, "").lower()
    if said in ("yes", "no"):
        return said == "yes"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return input(f"{question}? [y/N] ").strip().lower() in ("y", "yes")
