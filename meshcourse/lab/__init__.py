"""Exercises: which there are, what is checked, what was found, and how far the learner has come.

Belongs here: the course's manifest (`labs/course.toml`), checks and their findings, hints, the runner, progress, the
proof that every lab can fail and can be solved, and the lint of notebooks. Does not belong here: the exercises
themselves (they are in ``labs/``), pictures, magics. I/O is allowed.

A lab's ``checks.py`` imports nothing but this room: ``from meshcourse.lab import Cluster, Finding, check, …``.
"""

from __future__ import annotations

from meshcourse.cluster.cluster import Cluster
from meshcourse.kubectl.front import run as kubectl
from meshcourse.lab.asking import ask
from meshcourse.lab.checks import Finding, check
from meshcourse.lab.proxies import counters, routes
from meshcourse.observe.addons import jaeger, kiali, prometheus
from meshcourse.observe.logs import read as access_log
from meshcourse.observe.pages import load as page
from meshcourse.observe.send import traffic
from meshcourse.observe.tracing import of_run as traces_of

__all__ = [
    "Cluster",
    "Finding",
    "access_log",
    "ask",
    "check",
    "counters",
    "jaeger",
    "kiali",
    "kubectl",
    "page",
    "prometheus",
    "routes",
    "traces_of",
    "traffic",
]
