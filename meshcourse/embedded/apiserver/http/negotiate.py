"""Which representation the client asked for, and how objects are put into it.

Source: Kubernetes API concepts ("Receiving resources as Tables", "PartialObjectMetadata"). Everything is JSON: clients
that would rather have protobuf accept JSON too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import orjson
from aiohttp import web

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.apiserver.rest.read import Page
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object

if TYPE_CHECKING:
    from meshcourse.embedded.apiserver.tables import Include

Shape = Literal["", "Table", "Partial"]
_META = "meta.k8s.io/v1"
_PARTIAL = frozenset({"PartialObjectMetadata", "PartialObjectMetadataList"})


@dataclass(frozen=True, slots=True)
class Wish:
    """`shape` "" is the object itself; `include` is the query parameter ``includeObject`` of Tables."""

    shape: Shape = ""
    include: Include = "Metadata"


def wish(request: web.Request) -> Wish:
    """The first representation in the Accept header that this server has.

    :raises ApiError: 406 if there is none.
    """
    accept = request.headers.get("Accept", "")
    include = _include(request.query.get("includeObject") or "Metadata")
    if not accept or accept == "*/*":
        return Wish("", include)
    for clause in accept.split(","):
        shape = _shape(clause)
        if shape is not None:
            return Wish(shape, include)
    raise status.ApiError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, application/yaml",
    )


def _include(text: str) -> Include:
    if text not in ("None", "Metadata", "Object"):
        raise status.bad_request(
            f'includeObject: Unsupported value: "{text}": supported values: "None", "Metadata", '
            '"Object"'
        )
    return cast("Include", text)


def _shape(clause: str) -> Shape | None:
    media, *rest = (part.strip() for part in clause.split(";"))
    if media not in ("application/json", "application/*", "*/*", "application/yaml"):
        return None
    parameters = dict(part.partition("=")[::2] for part in rest)
    wanted = parameters.get("as", "")
    if wanted == "Table" and parameters.get("v") == "v1":
        return "Table"
    if wanted in _PARTIAL:
        return "Partial"
    return None if wanted else ""


def json_response(data: object, code: int = 200, warnings: list[str] | None = None) -> web.Response:
    """JSON with a ``Warning`` header for each warning (RFC 7234, code 299)."""
    response = web.Response(body=orjson.dumps(data), status=code, content_type="application/json")
    response.headers["Cache-Control"] = "no-cache, private"
    for text in warnings or ():
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def one(kind: Kind, obj: Object, wanted: Wish) -> Object:
    """A single object in the representation asked for."""
    if wanted.shape == "Table":
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return strategy.table(kind, [obj], meta, wanted.include)
    return partial(obj) if wanted.shape == "Partial" else obj


def many(kind: Kind, page: Page, wanted: Wish) -> Object:
    """A page of a list in the representation asked for."""
    if wanted.shape == "Table":
        return strategy.table(kind, page.items, page.meta(), wanted.include)
    items = page.items
    api_version, name = kind.resource.api_version, f"{kind.resource.kind}List"
    if wanted.shape == "Partial":
        items = [partial(obj) for obj in items]
        api_version, name = _META, "PartialObjectMetadataList"
    return {"kind": name, "apiVersion": api_version, "metadata": page.meta(), "items": items}


def partial(obj: Object) -> Object:
    """``PartialObjectMetadata``."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": _META,
        "metadata": obj.get("metadata") or {},
    }
