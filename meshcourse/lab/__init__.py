"""Exercises: which there are, what is checked, what was found, and how far the learner has come.

Belongs here: the course's manifest (`labs/course.toml`), checks and their findings, hints, the runner, progress, the
proof that every lab can fail and can be solved, and the lint of notebooks. Does not belong here: the exercises
themselves (they are in ``labs/``), pictures, magics. I/O is allowed.

A lab's ``checks.py`` needs only ``from meshcourse.lab import Cluster, Finding, check, kubectl, traffic``.
"""

from __future__ import annotations

from meshcourse.cluster.cluster import Cluster
from meshcourse.kubectl.front import run as kubectl
from meshcourse.lab.checks import Finding, check
from meshcourse.observe.send import traffic

__all__ = ["Cluster", "Finding", "check", "kubectl", "traffic"]
