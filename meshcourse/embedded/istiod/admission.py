"""AdmissionReview v1: what the API server sends to a webhook and gets back."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from meshcourse.embedded.kube.objects import Object

Json = dict[str, Any]


async def read(request: web.Request) -> Json:
    """The review's ``request``.

    :raises web.HTTPBadRequest: if the body is no AdmissionReview.
    """
    try:
        review = orjson.loads(await request.read())
        found: Json = review["request"]
        found["uid"]
    except (ValueError, KeyError, TypeError) as error:
        raise web.HTTPBadRequest(text=f"could not decode body: {error}") from error
    return found


def respond(
    uid: str,
    *,
    refusal: str = "",
    patch: Sequence[Json] = (),
    warnings: Sequence[str] = (),
) -> web.Response:
    """An answer: allowed unless there is a `refusal`."""
    response: Json = {"uid": uid, "allowed": not refusal}
    if refusal:
        response["status"] = {"message": refusal}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(list(patch))).decode()
    if warnings:
        response["warnings"] = list(warnings)
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return web.Response(body=orjson.dumps(review), content_type="application/json")


def difference(before: Object, after: Object) -> list[Json]:
    """A JSON patch that changes whole fields of ``metadata`` and ``spec``: coarse, and cheap to make."""
    patch: list[Json] = []
    for part in ("metadata", "spec"):
        patch += _fields(f"/{part}", before.get(part) or {}, after.get(part) or {})
    return patch


def _fields(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Json]:
    found: list[Json] = []
    for key, value in after.items():
        if key not in before:
            found.append({"op": "add", "path": f"{path}/{key}", "value": value})
        elif before[key] != value:
            found.append({"op": "replace", "path": f"{path}/{key}", "value": value})
    found += [{"op": "remove", "path": f"{path}/{key}"} for key in before if key not in after]
    return found
