"""How many inotify instances are left."""

from __future__ import annotations

import ctypes
import os

import pytest

from meshcourse.embedded.kubelet import limits


def test_counting_stops_at_what_is_enough_and_gives_back_what_it_took() -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert limits.inotify_left(1) == 1
    assert len(os.listdir("/proc/self/fd")) == before


def test_counting_stops_where_the_system_gives_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        left = 3

        def inotify_init1(self, flags: int) -> int:
            self.left -= 1
            return os.open(os.devnull, os.O_RDONLY) if self.left >= 0 else -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
    before = len(os.listdir("/proc/self/fd"))
    assert limits.inotify_left(10) == 3
    assert len(os.listdir("/proc/self/fd")) == before
