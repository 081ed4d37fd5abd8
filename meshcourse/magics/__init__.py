"""``%kubectl``, ``%istioctl``, ``%%apply``: the commands a person would type, in a cell. A thin door.

Belongs here: reading a magic's line and printing what the rooms below say. Every magic prints one stream (nbval
compares streams separately), and fails the cell when the command failed, unless the line contains ``--allow-error``.
"""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Register the magics with an IPython shell."""
    from meshcourse.magics import commands

    commands.register(shell)
