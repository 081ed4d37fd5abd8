"""``kubectl annotate``."""

from __future__ import annotations

from meshcourse.kubectl import metadata
from meshcourse.kubectl.context import Context

FLAGS = metadata.FLAGS


def run(context: Context) -> int:
    return metadata.change(context, "annotations", "annotated")
