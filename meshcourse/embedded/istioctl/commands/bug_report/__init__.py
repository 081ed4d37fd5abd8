"""``istioctl bug-report``: what somebody who was not here needs to see, in one archive.

`filters` and `archive` know nothing of clusters; `collect` asks the cluster.
"""

from __future__ import annotations

from meshcourse.embedded.istioctl.commands.bug_report.command import add

__all__ = ["add"]
