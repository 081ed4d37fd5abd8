"""Printing objects: ``-o yaml|json|name|jsonpath=…|custom-columns=…``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from meshcourse.cluster.kinds import Kind
from meshcourse.cluster.manifests import Object, name_of
from meshcourse.kubectl import jsonpath, tables, yamlout
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

_FORMATS = "custom-columns,json,jsonpath,name,wide,yaml"


def objects(
    context: Context, found: Sequence[tuple[Kind, Object]], *, as_list: bool, managed: bool = False
) -> None:
    """Print objects in the format of ``-o``.

    :param as_list: print a ``List`` even if there is only one (a kind was asked for, not a name).
    :param managed: keep ``managedFields``.
    :raises KubectlError: if the format is unknown.
    """
    form, _, rest = context.args.text("output").partition("=")
    items = [obj if managed else without_managed(obj) for _kind, obj in found]
    whole: Any = items[0] if len(items) == 1 and not as_list else _list(items)
    if form == "yaml":
        context.write(yamlout.render(whole))
    elif form == "json":
        context.say(json.dumps(whole, indent=4, ensure_ascii=False, sort_keys=True))
    elif form == "name":
        for kind, obj in found:
            context.say(f"{kind.printed}/{name_of(obj)}")
    elif form == "jsonpath":
        context.write(jsonpath.render(rest, whole))
    elif form == "custom-columns":
        context.write(tables.render(_columns(rest, items)))
    else:
        raise KubectlError(
            f'unable to match a printer suitable for the output format "{form}", '
            f"allowed formats are: {_FORMATS}"
        )


def without_managed(obj: Object) -> Object:
    """The object without ``managedFields``, which nobody wants to read."""
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    return {**obj, "metadata": meta} if "metadata" in obj else obj


def _list(items: Sequence[Object]) -> Object:
    return {
        "apiVersion": "v1",
        "items": list(items),
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }


def _columns(spec: str, items: Sequence[Object]) -> list[list[str]]:
    """``NAME:.metadata.name,NODE:.spec.nodeName``."""
    pairs = [part.partition(":")[::2] for part in spec.split(",")]
    if not all(title and path for title, path in pairs):
        raise KubectlError("custom-columns format specified but no custom columns given")
    rows = [[title for title, _path in pairs]]
    for item in items:
        rows.append([_joined(jsonpath.find(path, item)) for _title, path in pairs])
    return rows


def _joined(values: list[Any]) -> str:
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return ",".join(texts) or "<none>"
