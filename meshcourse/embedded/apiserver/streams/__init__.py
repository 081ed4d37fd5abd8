"""Logs, exec, attach and port-forward: what the API server passes through to a node.

Belongs here: wire protocols (WebSocket channel protocol, SPDY frames) and the `NodeBackend`
interface that the kubelet implements. I/O: the client's connection, and whatever the backend opens.
"""

from __future__ import annotations

from aiohttp import web

from meshcourse.embedded.apiserver.streams.backend import NodeBackend
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object


async def handler(
    request: web.Request, backend: NodeBackend, namespace: str, pod: Object, subresource: str
) -> web.StreamResponse:
    """Serve ``pods/log``, ``exec``, ``attach`` or ``portforward`` of a pod that exists.

    :param pod: the Pod (its containers decide what may be asked for).
    :raises ApiError: as long as nothing has been sent.
    """
    if subresource == "log":
        from meshcourse.embedded.apiserver.streams import logs

        return await logs.serve(request, backend, namespace, pod)
    if subresource == "portforward":
        from meshcourse.embedded.apiserver.streams import portforward

        return await portforward.serve(request, backend, namespace, pod)
    return await _remote(request, backend, namespace, pod, attach=subresource == "attach")


async def _remote(
    request: web.Request, backend: NodeBackend, namespace: str, pod: Object, *, attach: bool
) -> web.StreamResponse:
    from meshcourse.embedded.apiserver.streams import options, spdy_remote, websocket

    upgraded = request.headers.get("Upgrade", "").lower()
    wanted = options.remote(request, pod)
    if upgraded == "websocket":
        return await websocket.serve(request, backend, namespace, pod, wanted, attach=attach)
    if upgraded.startswith("spdy/"):
        return await spdy_remote.serve(request, backend, namespace, pod, wanted, attach=attach)
    raise status.bad_request("Upgrade request required")
