"""Where things are: the course's files, and the state of clusters and learners. No I/O beyond looking.

``MESHCOURSE_HOME`` names the course's folder (with ``labs/`` and ``notebooks/``); without it the working directory and
its parents are searched, then the folder this package is in.
"""

from __future__ import annotations

import os
from pathlib import Path

from meshcourse.errors import MeshcourseError

#: What makes a folder the course's.
MARK = Path("labs") / "course.toml"


def home() -> Path:
    """The course's folder.

    :raises MeshcourseError: if it is not found.
    """
    if explicit := os.environ.get("MESHCOURSE_HOME"):
        candidates = [Path(explicit)]
    else:
        here = Path.cwd()
        candidates = [here, *here.parents, Path(__file__).resolve().parent.parent]
    for folder in candidates:
        if (folder / MARK).is_file():
            return folder
    raise MeshcourseError(
        "the course's folder (with labs/course.toml) is not here",
        remedy="Change into the folder of the course, or set MESHCOURSE_HOME to it.",
    )


def state() -> Path:
    """``$XDG_STATE_HOME/meshcourse``, where the learner's progress is kept (not created)."""
    base = os.environ.get("XDG_STATE_HOME") or ""
    # The XDG specification says that a relative path is to be ignored.
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "meshcourse"
