"""``kubectl get``: tables made by the server, objects in other formats, and watching either."""

from __future__ import annotations

from typing import Any

from meshcourse.cluster.errors import ApiError
from meshcourse.cluster.kinds import Kind
from meshcourse.cluster.manifests import Object
from meshcourse.cluster.rest import TABLE
from meshcourse.kubectl import jsonpath, naming, output, tables
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError, server_error
from meshcourse.kubectl.naming import Target

FLAGS = (
    Flag("watch", "w", "switch"),
    Flag("watch-only", "", "switch"),
    Flag("show-labels", "", "switch"),
    Flag("label-columns", "L", "list"),
    Flag("no-headers", "", "switch"),
    Flag("sort-by"),
    Flag("ignore-not-found", "", "switch"),
    Flag("show-managed-fields", "", "switch"),
    Flag("chunk-size"),
)


def run(context: Context) -> int:
    words = context.args.words
    if context.args.given("filename"):
        found = [_of_file(context, obj) for _name, obj in context.files()]
    else:
        found = naming.targets(context.cluster, words)
    if context.args.on("watch") or context.args.on("watch-only"):
        return _watch(context, found)
    if context.args.text("output") in ("", "wide"):
        return _tables(context, found)
    return _objects(context, found)


def _of_file(context: Context, obj: Object) -> Target:
    kind = context.cluster.served().by_gvk(str(obj["apiVersion"]), str(obj["kind"]))
    return Target(kind, str(obj["metadata"]["name"]))


def _objects(context: Context, found: list[Target]) -> int:
    shown: list[tuple[Any, Object]] = []
    for target in found:
        body = _fetch(context, target, "application/json")
        if body is None:
            continue
        items = body["items"] if "items" in body and not target.name else [body]
        for item in items:  # lists leave these out of their items
            item.setdefault("apiVersion", target.kind.api_version)
            item.setdefault("kind", target.kind.kind)
        shown += [(target.kind, item) for item in items]
    named = bool(found[0].name) and len(shown) == 1
    if shown or not named:
        managed = context.args.on("show-managed-fields")
        output.objects(context, shown, as_list=not named, managed=managed)
    return 0


def _tables(context: Context, found: list[Target]) -> int:
    """A table for each kind, with a blank line between; a name that is not there is said, and the others shown."""
    groups: dict[Kind, list[Target]] = {}
    for target in found:
        groups.setdefault(target.kind, []).append(target)
    code = printed = 0
    for group in groups.values():
        rows: list[list[str]] = []
        for target in group:
            try:
                table = _fetch(context, target, TABLE)
            except ApiError as error:
                if len(found) == 1 or error.code != 404:
                    raise
                context.say(server_error(error))
                code = 1
                continue
            if table and table.get("rows"):
                rows += _rows(context, table, target, len(groups) > 1, headers=not rows)
        if rows:
            context.write(("\n" if printed else "") + tables.render(rows))
            printed += 1
    if not printed and not code and not context.args.on("ignore-not-found"):
        context.say(_nothing(context, found))
    return code


def _rows(
    context: Context, table: Any, target: Target, several: bool, *, headers: bool
) -> list[list[str]]:
    args = context.args
    columns = [name for text in args.many("label-columns") for name in text.split(",")]
    if sort := args.text("sort-by"):
        table["rows"].sort(key=lambda row: str(jsonpath.find(sort, row["object"])))
    return tables.from_server(
        table,
        wide=args.text("output") == "wide",
        namespaced=args.on("all-namespaces") and target.kind.namespaced,
        prefix=f"{target.kind.printed}/" if several else "",
        headers=headers and not args.on("no-headers"),
        labels=args.on("show-labels"),
        columns=columns,
    )


def _fetch(context: Context, target: Target, accept: str, **more: Any) -> Any:
    args = context.args
    if target.name and args.on("all-namespaces"):
        raise KubectlError("a resource cannot be retrieved by name across all namespaces")
    query = {"includeObject": "Object"} if accept == TABLE and args.given("sort-by") else {}
    if not target.name:
        query |= {
            "labelSelector": args.text("selector"),
            "fieldSelector": args.text("field-selector"),
        }
    try:
        return context.cluster.api.get(
            target.path(context.namespace), accept=accept, **query, **more
        )
    except ApiError as error:
        if error.code == 404 and args.on("ignore-not-found"):
            return None
        raise


def _nothing(context: Context, found: list[Target]) -> str:
    if context.namespace and any(target.kind.namespaced for target in found):
        return f"No resources found in {context.namespace} namespace."
    return "No resources found"


def _watch(context: Context, found: list[Target]) -> int:
    """Print the list, then a row for every change, until interrupted or ended by the server."""
    if len(found) != 1:
        raise KubectlError("you may only specify a single resource type")
    target = found[0]
    everything = Target(target.kind)
    query = {
        "fieldSelector": f"metadata.name={target.name}"
        if target.name
        else context.args.text("field-selector"),
        "labelSelector": context.args.text("selector"),
    }
    path = everything.path(context.namespace)
    table = context.cluster.api.get(path, accept=TABLE, **query)
    printer = _WatchPrinter(context, target)
    if not context.args.on("watch-only"):
        printer.show(table)
    query["resourceVersion"] = table["metadata"]["resourceVersion"]
    seconds = int(context.args.text("request-timeout", "3600").rstrip("s"))
    try:
        for event in context.cluster.api.watch(path, query=query, accept=TABLE, seconds=seconds):
            if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                printer.show(event["object"])
    except KeyboardInterrupt:
        pass
    return 0


class _WatchPrinter:
    """Prints rows as they come; the column headers stand above the first and keep their widths."""

    def __init__(self, context: Context, target: Target) -> None:
        self._context, self._target = context, target
        self._widths: list[int] = []
        self._definitions: Any = None

    def show(self, table: Any) -> None:
        if table.get("columnDefinitions"):  # only the first event of a watch carries them
            self._definitions = table["columnDefinitions"]
        table["columnDefinitions"] = self._definitions
        first = not self._widths
        for row in _rows(self._context, table, self._target, False, headers=first):
            self._widths = self._widths or [0] * len(row)
            needed = [max(6, len(cell) + 3) for cell in row]
            self._widths = [max(a, b) for a, b in zip(self._widths, needed, strict=True)]
            *head, tail = row
            cells = [cell.ljust(width) for cell, width in zip(head, self._widths, strict=False)]
            self._context.say("".join(cells) + tail)
