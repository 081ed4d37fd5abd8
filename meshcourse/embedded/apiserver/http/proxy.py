"""``pods/proxy`` and ``services/proxy``: an HTTP request passed on to what runs in the cluster.

Source: Kubernetes documentation, "Access services running on clusters". The name may carry scheme and port:
``https:name:port``.
"""

from __future__ import annotations

import aiohttp
from aiohttp import web

from meshcourse.embedded.apiserver import reach
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.reach import Unreachable
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import refs, status
from meshcourse.embedded.kube.status import ApiError

_HOP_BY_HOP = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10)
_CHUNK = 64 * 1024


async def serve(core: Core, request: web.Request, call: Call, tail: str) -> web.StreamResponse:
    """Pass a request on to ``/tail`` and its response back, as it comes."""
    scheme, host, port = _target(core, call)
    url = f"{scheme}://{host}:{port}/{tail}"
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
    try:
        async with aiohttp.ClientSession(trust_env=False, auto_decompress=False) as session:
            async with session.request(
                request.method,
                url,
                params=request.query,
                data=await request.read(),
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
                ssl=False,  # the real one does not verify either, for names that are IP addresses
            ) as answer:
                return await _pass_back(request, answer)
    except aiohttp.ClientConnectorError as error:
        raise _unavailable(f"error trying to reach service: {error}") from error


async def _pass_back(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = [(k, v) for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP]
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in headers:
        response.headers.add(name, value)
    await response.prepare(request)
    async for chunk in answer.content.iter_chunked(_CHUNK):
        await response.write(chunk)
    await response.write_eof()
    return response


def _target(core: Core, call: Call) -> tuple[str, str, int]:
    scheme, name, port = _parse(call.name)
    try:
        if call.kind.key == refs.SERVICES.qualified:
            return (scheme, *reach.service(core.store, call.namespace, name, port))
        if call.kind.key == refs.PODS.qualified:
            found = core.store.get(call.kind.key, call.namespace, name)
            if found is None:
                raise status.not_found(call.resource, name)
            return (scheme, *reach.pod(found, port))
    except Unreachable as error:
        raise _unavailable(str(error)) from None
    raise _unavailable("the node has no HTTP API of its own")


def _parse(name: str) -> tuple[str, str, str]:
    parts = name.split(":")
    if len(parts) == 3:
        return parts[0] or "http", parts[1], parts[2]
    return "http", parts[0], parts[1] if len(parts) == 2 else ""


def _unavailable(why: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", why)
