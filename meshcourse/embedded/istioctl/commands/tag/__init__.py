"""``istioctl tag``: other names for revisions, which namespaces may carry instead of a revision's own.

`manifest` is pure (what a tag consists of); `command` asks and changes the cluster.
"""

from __future__ import annotations

from meshcourse.embedded.istioctl.commands.tag.command import add

__all__ = ["add"]
