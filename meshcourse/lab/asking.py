"""Requests of a pod, by whichever kubectl there is. A door to `observe.asking` for checks and notebooks."""

from __future__ import annotations

from typing import Any

from meshcourse.cluster.cluster import Cluster
from meshcourse.kubectl import front
from meshcourse.observe import asking


def ask(cluster: Cluster, caller: str, url: str, **what: Any) -> asking.Asked:
    """Let a pod send requests and count what it is answered.

    :param what: as of `observe.asking.ask`: n, method, headers, options, until, timeout.
    """
    return asking.ask(lambda words: front.run(cluster, list(words)), caller, url, **what)
