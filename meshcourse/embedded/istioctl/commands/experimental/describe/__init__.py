"""``istioctl x describe``: everything that concerns one pod or service, in one place.

`rules`, `workload` and `lookups` are pure: objects and dumps in, lines out; `command` asks the cluster.
"""

from __future__ import annotations

from meshcourse.embedded.istioctl.commands.experimental.describe.command import add

__all__ = ["add"]
