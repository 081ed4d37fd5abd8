"""``kubectl apply``: server-side underneath; prints what the real one prints, with and without ``--server-side``."""

from __future__ import annotations

from typing import Any

from meshcourse.cluster import manifests
from meshcourse.cluster.errors import ApiError
from meshcourse.cluster.kinds import UnknownKindError
from meshcourse.cluster.rest import APPLY_PATCH
from meshcourse.kubectl import output
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError, server_error

FLAGS = (
    Flag("server-side", "", "switch"),
    Flag("force-conflicts", "", "switch"),
    Flag("overwrite", "", "switch"),
    Flag("wait", "", "switch"),
)


def run(context: Context) -> int:
    code = 0
    for file, obj in context.files():
        try:
            _apply(context, file, obj)
        except UnknownKindError as error:
            code = 1
            context.say(unknown(file, obj, error))
        except ApiError as error:
            code = 1
            context.say(server_error(error) if error.reason == "Invalid" else _refused(file, error))
    return code


def unknown(file: str, obj: manifests.Object, error: UnknownKindError) -> str:
    """What kubectl says of a kind that the server does not know."""
    name, namespace = manifests.name_of(obj), manifests.namespace_of(obj)
    return (
        f'error: resource mapping not found for name: "{name}" namespace: "{namespace}" from '
        f'"{_said(file)}": {error.message}\nensure CRDs are installed first'
    )


def query_for(context: Context, manager: str) -> dict[str, Any]:
    """Query parameters that writes share."""
    return {
        "fieldManager": context.args.text("field-manager", manager),
        "fieldValidation": "Ignore" if context.args.text("validate") == "false" else "Strict",
        "dryRun": "All" if context.args.text("dry-run") == "server" else "",
    }


def suffix(context: Context) -> str:
    """What is printed behind the outcome of a dry run."""
    mode = context.args.text("dry-run")
    return {"server": " (server dry run)", "client": " (dry run)"}.get(mode, "")


def _apply(context: Context, file: str, obj: manifests.Object) -> None:
    kind = context.cluster.served(refresh=False)
    try:
        found = kind.by_gvk(str(obj["apiVersion"]), str(obj["kind"]))
    except UnknownKindError:
        found = context.cluster.served(refresh=True).by_gvk(
            str(obj["apiVersion"]), str(obj["kind"])
        )
    if not manifests.name_of(obj):
        raise KubectlError(f'error from "{_said(file)}": resource name may not be empty')
    placed = manifests.in_namespace(obj, context.namespace) if found.namespaced else obj
    path = found.path(
        manifests.namespace_of(placed) if found.namespaced else "", manifests.name_of(obj)
    )
    before = _version(context, path)
    server_side = context.args.on("server-side")
    force = context.args.on("force-conflicts") or not server_side
    query = {**query_for(context, "kubectl"), "force": "true" if force else ""}
    if context.args.text("dry-run") == "client":
        after: Any = placed
    else:
        after = context.cluster.api.request(
            "PATCH", path, query=query, body=placed, content_type=APPLY_PATCH
        )
    if context.args.given("output"):
        output.objects(context, [(found, after)], as_list=False)
        return
    outcome = "created" if before is None else "configured"
    if before is not None and after["metadata"].get("resourceVersion") == before:
        outcome = "unchanged"
    if server_side:
        outcome = "serverside-applied"
    context.say(f"{found.printed}/{manifests.name_of(obj)} {outcome}{suffix(context)}")


def _version(context: Context, path: str) -> str | None:
    try:
        return str(context.cluster.api.get(path)["metadata"]["resourceVersion"])
    except ApiError as error:
        if error.code != 404:
            raise
        return None


def _refused(file: str, error: ApiError) -> str:
    text = server_error(error)
    head, _, tail = text.partition(": ")
    return f'{head}: error when creating "{_said(file)}": {tail}'


def _said(file: str) -> str:
    return "STDIN" if file == "-" else file
