"""Learn the Istio service mesh in Jupyter, on real Envoys."""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext meshcourse`` (``course.open()`` does the same)."""
    from meshcourse import magics

    magics.load_ipython_extension(shell)
