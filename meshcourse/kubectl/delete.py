"""``kubectl delete``: by name, by label, by file; waits until the objects are gone."""

from __future__ import annotations

import time

from meshcourse.cluster import manifests
from meshcourse.cluster.errors import ApiError
from meshcourse.kubectl import durations, naming
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError, server_error
from meshcourse.kubectl.naming import Target

FLAGS = (
    Flag("all", "", "switch"),
    Flag("ignore-not-found", "", "switch"),
    Flag("wait", "", "switch"),
    Flag("force", "", "switch"),
    Flag("now", "", "switch"),
    Flag("grace-period"),
    Flag("cascade", bare="background"),
    Flag("timeout"),
)


def run(context: Context) -> int:
    code, gone = 0, []
    for target, namespace in _targets(context):
        path = target.path(namespace)
        try:
            obj = context.cluster.api.get(path)
            context.cluster.api.request("DELETE", path, query=_query(context))
        except ApiError as error:
            if error.code == 404 and context.args.on("ignore-not-found"):
                continue
            context.say(server_error(error))
            code = 1
            continue
        verb = "force deleted" if context.args.on("force") else "deleted"
        context.say(f'{target.kind.printed} "{target.name}" {verb}')
        gone.append((path, obj["metadata"]["uid"]))
    if context.args.on("wait", default=True):
        _wait(context, gone)
    return code


def _targets(context: Context) -> list[tuple[Target, str]]:
    if context.args.given("filename"):
        found = []
        for _file, obj in context.files():
            kind = context.cluster.served().by_gvk(str(obj["apiVersion"]), str(obj["kind"]))
            namespace = manifests.namespace_of(obj) or context.namespace
            found.append((Target(kind, manifests.name_of(obj)), namespace))
        return found
    words = naming.targets(context.cluster, context.args.words)
    if all(target.name for target in words):
        return [(target, context.namespace) for target in words]
    found = [
        (target, manifests.namespace_of(obj) or context.namespace)
        for target, obj in naming.resolve(context, context.args.words)
    ]
    if not found:
        context.say("No resources found")
    return found


def _query(context: Context) -> dict[str, str]:
    cascade = context.args.text("cascade", "background").capitalize()
    grace = "0" if context.args.on("force") else "1" if context.args.on("now") else ""
    dry = "All" if context.args.text("dry-run") == "server" else ""
    seconds = context.args.text("grace-period", grace)
    return {"propagationPolicy": cascade, "gracePeriodSeconds": seconds, "dryRun": dry}


def _wait(context: Context, gone: list[tuple[str, str]]) -> None:
    limit = durations.seconds(context.args.text("timeout", "0s"))
    deadline = time.monotonic() + limit if limit else None
    for path, uid in gone:
        while _there(context, path, uid):
            if deadline is not None and time.monotonic() > deadline:
                plural, name = path.split("/")[-2:]
                raise KubectlError(f"timed out waiting for the condition on {plural}/{name}")
            time.sleep(0.05)


def _there(context: Context, path: str, uid: str) -> bool:
    try:
        return bool(context.cluster.api.get(path)["metadata"]["uid"] == uid)
    except ApiError as error:
        if error.code != 404:
            raise
        return False
