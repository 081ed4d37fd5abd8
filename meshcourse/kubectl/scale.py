"""``kubectl scale``."""

from __future__ import annotations

from meshcourse.cluster.errors import ApiError
from meshcourse.cluster.manifests import dig
from meshcourse.cluster.rest import MERGE_PATCH
from meshcourse.kubectl import naming
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (Flag("replicas"), Flag("current-replicas"), Flag("all", "", "switch"), Flag("timeout"))


def run(context: Context) -> int:
    if not context.args.text("replicas").isdigit():
        raise KubectlError(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        )
    count = int(context.args.text("replicas"))
    expected = context.args.text("current-replicas")
    try:
        found = naming.resolve(context, context.args.words)
    except ApiError as error:
        raise KubectlError(f"no objects passed to scale {error.message}") from error
    for target, obj in found:
        if expected and int(expected) != dig(obj, "spec.replicas", 1):
            raise KubectlError(
                f"Expected replicas to be {expected}, was {dig(obj, 'spec.replicas', 1)}"
            )
        path = target.path(dig(obj, "metadata.namespace", ""), "scale")
        patch = {"spec": {"replicas": count}}
        context.cluster.api.request("PATCH", path, body=patch, content_type=MERGE_PATCH)
        context.say(f"{target.kind.printed}/{target.name} scaled")
    return 0
