"""``/openapi/v2`` and ``/openapi/v3``: documents that ``schemas`` makes, with the caching that clients expect."""

from __future__ import annotations

from aiohttp import web

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.http import negotiate
from meshcourse.embedded.kube import refs

_V2_MEDIA = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#: A URL with a hash names content that never changes.
_FOREVER = "public, immutable, max-age=31536000"


def answer(core: Core, request: web.Request) -> web.Response:
    """An OpenAPI document; plain 404 where there is none."""
    from meshcourse.embedded.apiserver.schemas import openapi

    crds = core.store.list(refs.CRDS.qualified)
    path = request.path.strip("/").removeprefix("openapi/")
    if path == "v3":
        return negotiate.json_response(openapi.openapi_v3_index(crds))
    if path == "v2":
        return web.Response(body=openapi.openapi_v2(crds), headers={"Content-Type": _V2_MEDIA})
    body = openapi.openapi_v3(path.removeprefix("v3/"), crds)
    if body is None or not path.startswith("v3/"):
        raise web.HTTPNotFound(text="404 page not found\n")
    response = web.Response(body=body, content_type="application/json")
    if "hash" in request.query:
        response.headers["Cache-Control"] = _FOREVER
    return response
