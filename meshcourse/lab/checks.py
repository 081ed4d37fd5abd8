"""What a check is: an action, what was observed, what was expected, and where to look next. Pure.

A lab's ``checks.py`` holds functions decorated with `check`; each gets the cluster and returns a `Finding`. A check may
declare how long its condition may take to *converge*; it is then tried again until it holds or the time is over.
A measurement is never repeated until it pleases: checks that judge samples declare no such time.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from meshcourse.cluster.cluster import Cluster
from meshcourse.errors import MeshcourseError


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw.

    :param look: the next thing to look at, if it did not hold.
    """

    ok: bool
    observed: str
    expected: str
    look: str = ""

    def __bool__(self) -> bool:
        return self.ok


Function = Callable[[Cluster], Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """One decorated function.

    :param action: what the check does, as an instruction a person could follow.
    :param converges: seconds that its condition may need to become true.
    """

    action: str
    converges: float
    function: Function


def check(action: str, *, converges: float = 0.0) -> Callable[[Function], Check]:
    """Make a check of a function of the cluster."""

    def decorate(function: Function) -> Check:
        return Check(action, converges, function)

    return decorate


def load(path: Path) -> list[Check]:
    """The checks of a ``checks.py``, in the order in which they stand.

    :raises MeshcourseError: if the file is missing or holds none; a check that is never run cannot fail.
    """
    if not path.is_file():
        raise MeshcourseError(f"there are no checks at {path}")
    found = [value for value in vars(_module(path)).values() if isinstance(value, Check)]
    if not found:
        raise MeshcourseError(f"{path} has no function decorated with @check")
    return found


def _module(path: Path) -> ModuleType:
    name = f"meshcourse_lab_{path.parent.name.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in it look their module up
    spec.loader.exec_module(module)
    return module
