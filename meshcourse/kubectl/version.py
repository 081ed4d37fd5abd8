"""``kubectl version``."""

from __future__ import annotations

from meshcourse import versions
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context

FLAGS = (Flag("client", "", "switch"),)


def run(context: Context) -> int:
    context.say(f"Client Version: {versions.KUBERNETES} (the course's own)")
    if not context.args.on("client"):
        context.say(f"Server Version: {context.cluster.api.get('/version')['gitVersion']}")
    return 0
