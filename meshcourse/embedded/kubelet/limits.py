"""Limits of the system that a node of many Envoys may meet, and what to say about them. Standard library only.

Envoy follows a file with an inotify instance of its own and aborts when it can have none. Linux gives a user 128 by
default (fs.inotify.max_user_instances); each sidecar takes two, kube-proxy a handful, editors and desktops theirs.
Source: inotify(7), Envoy's source/common/filesystem/inotify.
"""

from __future__ import annotations

import ctypes
import os
import sys

#: What a cluster with the course's applications needs at most.
COMFORTABLE = 72
#: With fewer not even kube-proxy starts.
LEAST = 8

REMEDY = (
    "stop other clusters and editors, or allow more: sudo sysctl fs.inotify.max_user_instances=1024"
)


def inotify_left(enough: int = COMFORTABLE) -> int:
    """How many inotify instances this user can still have, counted no further than `enough`."""
    if sys.platform != "linux":
        return enough
    libc = ctypes.CDLL(None, use_errno=True)
    taken: list[int] = []
    try:
        while len(taken) < enough and (fd := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
            taken.append(fd)
        return len(taken)
    finally:
        for fd in taken:
            os.close(fd)
