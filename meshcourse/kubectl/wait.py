"""``kubectl wait --for=condition=…|delete|create|jsonpath=…``."""

from __future__ import annotations

import time
from collections.abc import Callable

from meshcourse.cluster.errors import ApiError
from meshcourse.cluster.manifests import Object, dig
from meshcourse.kubectl import durations, jsonpath, naming
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError
from meshcourse.kubectl.naming import Target

FLAGS = (Flag("for"), Flag("timeout"), Flag("all", "", "switch"))
#: Is it so? Given the object, or None if it is not there.
Predicate = Callable[[Object | None], bool]


def run(context: Context) -> int:
    holds = _predicate(context.args.text("for"))
    deadline = time.monotonic() + durations.seconds(context.args.text("timeout", "30s"))
    targets = _targets(context)
    if not targets:
        raise KubectlError("no matching resources found")
    for target in targets:
        while not holds(_get(context, target)):
            if time.monotonic() > deadline:
                raise KubectlError(
                    f"timed out waiting for the condition on {target.kind.plural}/{target.name}"
                )
            time.sleep(0.1)
        context.say(f"{target.kind.printed}/{target.name} condition met")
    return 0


def _targets(context: Context) -> list[Target]:
    words = naming.targets(context.cluster, context.args.words)
    if all(target.name for target in words):
        if context.args.text("for") not in ("delete", "create"):
            for target in words:
                context.cluster.api.get(target.path(context.namespace))  # not there: say so at once
        return words
    return [target for target, _obj in naming.resolve(context, context.args.words)]


def _get(context: Context, target: Target) -> Object | None:
    try:
        found: Object = context.cluster.api.get(target.path(context.namespace))
    except ApiError as error:
        if error.code != 404:
            raise
        return None
    return found


def _predicate(text: str) -> Predicate:
    """What ``--for`` asks.

    :raises KubectlError: if it asks nothing known.
    """
    if text == "delete":
        return lambda obj: obj is None
    if text == "create":
        return lambda obj: obj is not None
    kind, _, rest = text.partition("=")
    if kind == "condition" and rest:
        name, _, value = rest.partition("=")
        return lambda obj: _condition(obj, name, value or "True")
    if kind == "jsonpath" and rest:
        path, _, wanted = rest.strip("'\"").partition("}=")
        return lambda obj: _matches(obj, path, wanted)
    raise KubectlError(f'unrecognized condition: "{text}"')


def _condition(obj: Object | None, name: str, value: str) -> bool:
    if obj is None:
        return False
    stale = dig(obj, "status.observedGeneration", 1 << 62) < dig(obj, "metadata.generation", 0)
    return not stale and any(
        item["type"].lower() == name.lower() and item["status"].lower() == value.lower()
        for item in dig(obj, "status.conditions", [])
    )


def _matches(obj: Object | None, path: str, wanted: str) -> bool:
    values = [jsonpath.render("{" + path.lstrip("{").rstrip("}") + "}", obj)] if obj else []
    return bool(values and values[0]) and (not wanted or values[0] == wanted)
