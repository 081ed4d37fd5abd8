"""Requests about resources: from method, path and query to a call of ``rest``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.http import bodies, negotiate, proxy, queries, watching
from meshcourse.embedded.apiserver.http.paths import Target
from meshcourse.embedded.apiserver.rest import dispatch, filters
from meshcourse.embedded.apiserver.rest.call import Call, Options
from meshcourse.embedded.apiserver.rest.dispatch import Answer
from meshcourse.embedded.apiserver.rest.patch import PatchKind
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_PATCHES: dict[str, PatchKind] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_STREAMS = frozenset({"log", "exec", "attach", "portforward"})


async def answer(
    core: Core, request: web.Request, user: User, target: Target
) -> web.StreamResponse:
    """Answer a request about a resource.

    :raises ApiError: whatever is wrong with it.
    """
    call = _call(core, request, user, target)
    core.authorizer.check(call)
    if call.subresource == "proxy":
        return await proxy.serve(core, request, call, target.tail)
    if call.subresource in _STREAMS and call.kind.key == "pods":
        return await _stream(core, request, call)
    if call.verb == "watch":
        return await watching.serve(core, request, call)
    if call.verb == "list":
        return _list(core, request, call)
    found = await _perform(core, request, call)
    body = found.object
    if not found.foreign:
        body = negotiate.one(call.kind, body, negotiate.wish(request))
    return negotiate.json_response(body, found.code, call.warnings)


def _call(core: Core, request: web.Request, user: User, target: Target) -> Call:
    kind = core.registry.find(target.group, target.version, target.plural)
    if kind is None:
        raise web.HTTPNotFound(text="404 page not found\n")
    if target.namespace and not kind.resource.namespaced:
        raise not_served()
    call = Call(
        user,
        _verb(request, target),
        kind,
        target.namespace,
        target.name,
        target.subresource,
        queries.options(request.query),
        _agent(request),
    )
    _check_served(call)
    return call


def not_served() -> ApiError:
    """404 for a URL that belongs to a known kind but leads nowhere."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def _verb(request: web.Request, target: Target) -> str:
    method = request.method
    if method in ("GET", "HEAD"):
        if target.subresource:
            return "get"
        if target.watch or queries.flag(request.query, "watch"):
            return "watch"
        return "get" if target.name else "list"
    if method == "DELETE" and not target.name:
        return "deletecollection"
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    return verbs.get(method, method.lower())


def _check_served(call: Call) -> None:
    """:raises ApiError: 404 for a subresource, 405 for a verb, that the kind does not have."""
    if call.subresource:
        found = call.kind.subresource(call.subresource)
        if found is None:
            raise not_served()
        verbs: tuple[str, ...] = found.verbs
    else:
        verbs = call.kind.verbs
    misplaced = bool(call.name) == (call.verb == "create") and not call.subresource
    nameless = call.verb in ("update", "patch") and not call.name
    if call.verb not in verbs or (misplaced and call.verb == "create") or nameless:
        raise status.method_not_allowed(call.resource, "")
    if call.resource.namespaced and not call.namespace and call.verb in _ONE_OBJECT:
        raise status.method_not_allowed(call.resource, "")


_ONE_OBJECT = frozenset({"create", "get", "update", "patch", "delete"})


def _agent(request: web.Request) -> str:
    """The program's name: what comes before the first slash of the user agent."""
    return request.headers.get("User-Agent", "").split("/")[0] or "unknown"


def _list(core: Core, request: web.Request, call: Call) -> web.Response:
    query = request.query
    chosen = filters.parse(
        call.kind, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    limit = queries.whole(query, "limit")
    page = dispatch.list_page(core, call, chosen, limit, query.get("continue", ""))
    return negotiate.json_response(
        negotiate.many(call.kind, page, negotiate.wish(request)), warnings=call.warnings
    )


async def _perform(core: Core, request: web.Request, call: Call) -> Answer:
    if call.verb == "get":
        return await dispatch.read(core, call)
    if call.verb == "create":
        return await dispatch.create(core, call, await bodies.read_object(request))
    if call.verb == "update":
        return await dispatch.update(core, call, await bodies.read_object(request))
    if call.verb == "patch":
        return await dispatch.patch(core, call, await _read_patch(request), _patch_kind(request))
    return await _delete(core, request, call)


def _patch_kind(request: web.Request) -> PatchKind:
    kind = _PATCHES.get(request.content_type)
    if kind is None:
        raise status.unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(_PATCHES)
        )
    return kind


async def _read_patch(request: web.Request) -> Any:
    _patch_kind(request)
    body = await bodies.read_any(request)
    if body is None:
        raise status.bad_request("error decoding patch: unexpected end of JSON input")
    return body


async def _delete(core: Core, request: web.Request, call: Call) -> Answer:
    body = await _delete_options(request)
    if body.get("dryRun") and not call.options.dry_run:
        call.options = Options(True, call.options.field_manager)
    if call.verb == "delete":
        return await dispatch.delete(core, call, body)
    query = request.query
    chosen = filters.parse(
        call.kind, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    return await dispatch.delete_collection(core, call, chosen, body)


async def _delete_options(request: web.Request) -> Object:
    body = await bodies.read_object(request)
    query = request.query
    if "propagationPolicy" in query:
        body.setdefault("propagationPolicy", query["propagationPolicy"])
    if "gracePeriodSeconds" in query:
        body.setdefault("gracePeriodSeconds", queries.whole(query, "gracePeriodSeconds"))
    if "orphanDependents" in query:
        body.setdefault("orphanDependents", queries.flag(query, "orphanDependents"))
    return body


async def _stream(core: Core, request: web.Request, call: Call) -> web.StreamResponse:
    from meshcourse.embedded.apiserver import streams

    pod = (
        await dispatch.read(core, Call(call.user, "get", call.kind, call.namespace, call.name))
    ).object
    if core.backend is None:
        raise status.ApiError(503, "ServiceUnavailable", "the node is not ready yet")
    response: web.StreamResponse = await streams.handler(
        request, core.backend, call.namespace, pod, call.subresource
    )
    return response
