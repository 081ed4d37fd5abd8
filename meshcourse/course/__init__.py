"""The front door: ``from meshcourse import course`` and ``mesh = course.open()``.

A `Mesh` is a `Cluster` with what a learner does to it: send traffic, look at it, do an exercise. The chain of classes
is one of topics: `seeing.Seeing` (add-ons, logs) → `living.Living` (views that stay alive) → `meshes.Mesh`.
"""

from __future__ import annotations

from meshcourse.cluster.certificates import make as new_certificate
from meshcourse.cluster.waiting import met as until
from meshcourse.course.exercises import (
    begin,
    check,
    clean,
    hint,
    kubectl_in,
    labs,
    solution,
    solve,
    task,
)
from meshcourse.course.meshes import Mesh
from meshcourse.course.opening import NAME_VARIABLE, attach, choose, mesh, open, preflight
from meshcourse.observe.tokens import Issuer, bearer

__all__ = [
    "NAME_VARIABLE",
    "Issuer",
    "Mesh",
    "attach",
    "bearer",
    "begin",
    "check",
    "choose",
    "clean",
    "hint",
    "kubectl_in",
    "labs",
    "mesh",
    "new_certificate",
    "open",
    "preflight",
    "solution",
    "solve",
    "task",
    "until",
]
