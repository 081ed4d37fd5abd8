"""``kubectl rollout status|restart|undo|history`` for Deployments."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from meshcourse.cluster.kinds import REPLICASET
from meshcourse.cluster.manifests import Object, dig, name_of
from meshcourse.cluster.rest import JSON_PATCH, STRATEGIC_PATCH
from meshcourse.kubectl import durations, naming, tables
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError
from meshcourse.kubectl.naming import Target

FLAGS = (
    Flag("timeout"),
    Flag("watch", "w", "switch"),
    Flag("to-revision"),
    Flag("revision"),
)
_REVISION = "deployment.kubernetes.io/revision"


def run(context: Context) -> int:
    actions = {"status": _status, "restart": _restart, "undo": _undo, "history": _history}
    verb, *words = context.args.words or [""]
    if verb not in actions:
        raise KubectlError(
            f'unknown rollout command "{verb}"; this kubectl knows: {", ".join(actions)}'
        )
    for target, obj in _deployments(context, words):
        code = actions[verb](context, target, obj)
        if code:
            return code
    return 0


def _deployments(context: Context, words: list[str]) -> list[tuple[Target, Object]]:
    words = words[:1] if context.args.text("selector") else words
    found = naming.resolve(context, words, every=True)
    for target, _obj in found:
        if target.kind.kind != "Deployment":
            raise KubectlError(f"no status viewer has been implemented for {target.kind.kind}")
    return found


def _status(context: Context, target: Target, obj: Object) -> int:
    limit = durations.seconds(context.args.text("timeout", "0s"))
    deadline = time.monotonic() + limit if limit else None
    last = ""
    while line := _waiting_for(obj):
        if line != last:
            context.say(last := line)
        if not context.args.on("watch", default=True):
            return 0
        if deadline is not None and time.monotonic() > deadline:
            raise KubectlError("timed out waiting for the condition")
        time.sleep(0.1)
        obj = context.cluster.api.get(target.path(context.namespace))
    context.say(f'deployment "{target.name}" successfully rolled out')
    return 0


def _waiting_for(obj: Object) -> str:
    """What the roll-out is waiting for, in kubectl's words; "" if it is over.

    :raises KubectlError: if it has exceeded its progress deadline.
    """
    name, status = name_of(obj), obj.get("status") or {}
    if dig(obj, "metadata.generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for deployment spec update to be observed..."
    for condition in status.get("conditions") or []:
        if condition.get("reason") == "ProgressDeadlineExceeded":
            raise KubectlError(f'deployment "{name}" exceeded its progress deadline')
    want, updated = dig(obj, "spec.replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    head = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < want:
        return f"{head}{updated} out of {want} new replicas have been updated..."
    if total > updated:
        return f"{head}{total - updated} old replicas are pending termination..."
    if available < updated:
        return f"{head}{available} of {updated} updated replicas are available..."
    return ""


def _restart(context: Context, target: Target, obj: Object) -> int:
    stamp = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    annotations = {"kubectl.kubernetes.io/restartedAt": stamp}
    patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    context.cluster.api.request(
        "PATCH", _path(target, obj), body=patch, content_type=STRATEGIC_PATCH
    )
    context.say(f"{target.kind.printed}/{target.name} restarted")
    return 0


def _undo(context: Context, target: Target, obj: Object) -> int:
    sets = _revisions(context, obj)
    current = int(dig(obj, "metadata.annotations", {}).get(_REVISION, 0))
    wanted = int(context.args.text("to-revision", "0"))
    older = [number for number in sets if number < current]
    number = wanted or max(older, default=0)
    if number not in sets:
        raise KubectlError(
            f"unable to find specified revision {wanted} in history" if wanted
            else f'no rollout history found for deployment "{target.name}"'
        )  # fmt: skip
    template = sets[number]["spec"]["template"]
    labels = dict(dig(template, "metadata.labels", {}))
    labels.pop("pod-template-hash", None)
    template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    context.cluster.api.request("PATCH", _path(target, obj), body=patch, content_type=JSON_PATCH)
    context.say(f"{target.kind.printed}/{target.name} rolled back")
    return 0


def _history(context: Context, target: Target, obj: Object) -> int:
    rows = [["REVISION", "CHANGE-CAUSE"]]
    for number, found in sorted(_revisions(context, obj).items()):
        cause = dig(found, "metadata.annotations", {}).get("kubernetes.io/change-cause", "<none>")
        rows.append([str(number), cause])
    context.say(f"{target.kind.printed}/{target.name} ")
    context.write(tables.render(rows, padding=2, minimum=0))
    context.say("")
    return 0


def _revisions(context: Context, obj: Object) -> dict[int, Any]:
    path = REPLICASET.path(dig(obj, "metadata.namespace", ""))
    found = {}
    for item in context.cluster.api.get(path)["items"]:
        owners = dig(item, "metadata.ownerReferences", [])
        if any(owner["uid"] == obj["metadata"]["uid"] for owner in owners):
            found[int(dig(item, "metadata.annotations", {}).get(_REVISION, 0))] = item
    return found


def _path(target: Target, obj: Object) -> str:
    return target.path(dig(obj, "metadata.namespace", ""))
