"""``kubectl explain``: what a field means, from the server's OpenAPI documents."""

from __future__ import annotations

import textwrap
from typing import Any

from meshcourse.cluster.kinds import Kind
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (Flag("recursive", "", "switch"), Flag("api-version"))


def run(context: Context) -> int:
    if len(context.args.words) != 1:
        raise KubectlError("You must specify the type of resource to explain.")
    name, *fields = context.args.words[0].split(".")
    kind = context.cluster.kind(name)
    schemas = _schemas(context, kind)
    schema = _of_kind(schemas, kind)
    if kind.group:
        context.say(f"GROUP:      {kind.group}")
    context.say(f"KIND:       {kind.kind}")
    context.say(f"VERSION:    {kind.version}\n")
    field = ""
    for step in fields:
        properties = _resolve(schema, schemas).get("properties") or {}
        if step not in properties:
            raise KubectlError(f'field "{step}" does not exist')
        field, schema = step, properties[step]
    _show(context, field, schema, schemas)
    return 0


def _schemas(context: Context, kind: Kind) -> dict[str, Any]:
    root = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
    paths = context.cluster.api.get("/openapi/v3")["paths"]
    if root not in paths:
        raise KubectlError(f"couldn't find resource for {kind.qualified}")
    url, _, query = paths[root]["serverRelativeURL"].partition("?")
    document = context.cluster.api.get(url, **dict([query.split("=", 1)] if query else []))
    found: dict[str, Any] = document["components"]["schemas"]
    return found


def _of_kind(schemas: dict[str, Any], kind: Kind) -> dict[str, Any]:
    wanted = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    for schema in schemas.values():
        if wanted in (schema.get("x-kubernetes-group-version-kind") or []):
            found: dict[str, Any] = schema
            return found
    raise KubectlError(f"couldn't find resource for {kind.qualified}")


def _resolve(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and look into lists and maps, to what has the properties."""
    while True:
        refs = [schema, *(schema.get("allOf") or [])]
        ref = next((item["$ref"] for item in refs if "$ref" in item), "")
        if ref:
            schema = schemas[ref.rsplit("/", 1)[-1]]
        elif "items" in schema:
            schema = schema["items"]
        elif isinstance(schema.get("additionalProperties"), dict):
            schema = schema["additionalProperties"]
        else:
            return schema


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    for item in (schema, *(schema.get("allOf") or [])):
        if "$ref" in item:
            name = item["$ref"].rsplit("/", 1)[-1]
            kind = schemas[name].get("type")
            return name.rsplit(".", 1)[-1] if kind in (None, "object") else str(kind)
    if schema.get("type") == "array":
        return f"[]{_type(schema['items'], schemas)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map[string]{_type(schema['additionalProperties'], schemas)}"
    return "Object" if schema.get("type") in (None, "object") else str(schema["type"])


def _show(context: Context, field: str, schema: dict[str, Any], schemas: Any) -> None:
    target = _resolve(schema, schemas)
    if field:
        context.say(f"FIELD: {field} <{_type(schema, schemas)}>\n\n")
    context.say("DESCRIPTION:")
    own, general = schema.get("description", ""), target.get("description", "")
    for text in dict.fromkeys(text for text in (own, general) if text):
        context.say(_wrapped(text, 4))
    if not (own or general):
        context.say("    <empty>")
    context.say("    ")
    if target.get("properties"):
        context.say("FIELDS:")
        _fields(context, target, schemas, 1)
    context.say("")


def _fields(
    context: Context, schema: dict[str, Any], schemas: Any, level: int, seen: int = 0
) -> None:
    required = set(schema.get("required") or [])
    indent = "  " * level
    for name, item in sorted(schema["properties"].items()):
        mark = " -required-" if name in required else ""
        context.say(f"{indent}{name}\t<{_type(item, schemas)}>{mark}")
        if context.args.on("recursive"):
            inner = _resolve(item, schemas)
            if inner.get("properties") and seen < 12:
                _fields(context, inner, schemas, level + 1, seen + 1)
            continue
        text = item.get("description") or "<no description>"
        context.say(_wrapped(text, 2 * level + 2) + "\n")


def _wrapped(text: str, indent: int, width: int = 80) -> str:
    space = " " * indent
    lines: list[str] = []
    for part in text.split("\n"):
        lines += textwrap.wrap(
            part, width - indent, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return "\n".join(space + line for line in lines)
