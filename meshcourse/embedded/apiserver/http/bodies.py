"""Request bodies: JSON, YAML or protobuf to plain data, with the API server's words for what is malformed."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object

_MEDIA = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_GO_TYPES = {list: "array", str: "string", int: "number", float: "number", bool: "bool"}
#: Deeper nesting is no manifest.
_DEPTH = 200


async def read_object(request: web.Request) -> Object:
    """The object in a body; ``{}`` for an empty one.

    :raises ApiError: 400 or 415.
    """
    found = await read_any(request)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise status.bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{_GO_TYPES.get(type(found), 'value')} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string '
            '"json:\\"kind,omitempty\\"" }'
        )
    return found


async def read_any(request: web.Request) -> Any:
    """Whatever JSON value a body holds; None for an empty one.

    :raises ApiError: 400, 413 or 415.
    """
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise status.ApiError(
            413, "RequestEntityTooLarge", "Request entity too large: limit is 8388608"
        ) from None
    media = request.content_type
    if body[:4] == b"k8s\0" or media == "application/vnd.kubernetes.protobuf":
        return strategy.decode_protobuf(body, request.headers.get("Content-Type", ""))
    if not body.strip():
        return None
    return _check(_yaml(body) if "yaml" in media else _json(body, media))


def _json(body: bytes, media: str) -> Any:
    if media not in _JSON and not media.endswith("+json"):
        raise status.unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {_MEDIA}"
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise status.bad_request(f"error decoding the body: {error}") from None


_JSON = frozenset({"application/json", "text/plain", "application/octet-stream", ""})


def _yaml(body: bytes) -> Any:
    import yaml

    from meshcourse.embedded.apiserver.http import manifests

    try:
        return manifests.load(body)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise status.bad_request(f"error converting YAML to JSON: yaml: {text}") from None


def _check(value: Any) -> Any:
    """Refuse what would exhaust the stack later on."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEPTH:
            raise status.bad_request("exceeded max depth")
        level = [child for node in level for child in _children(node)]
    return value


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [value for value in node.values() if isinstance(value, (dict, list))]
    return (
        [value for value in node if isinstance(value, (dict, list))]
        if isinstance(node, list)
        else []
    )
