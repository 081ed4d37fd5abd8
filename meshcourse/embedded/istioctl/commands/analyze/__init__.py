"""``istioctl analyze``: objects from the cluster and from files, judged by `istioctl.analyze`."""

from __future__ import annotations

from meshcourse.embedded.istioctl.commands.analyze.command import add

__all__ = ["add"]
