"""The `Client` over HTTPS, for components in processes of their own (istiod, istioctl)."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
import orjson

from meshcourse.embedded.client import config
from meshcourse.embedded.client.config import Endpoint
from meshcourse.embedded.client.protocol import ListResult, PatchKind, WatchEvent
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

_PATCHES: dict[PatchKind, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_PAGE = 500
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
_ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=10)
_Query = dict[str, str]


class HttpClient:
    """Use within one event loop, and `close` it (or use ``async with``).

    Failures of the connection are `ApiError` 503, so that callers handle one kind of error.

    :param url: ``https://host:port``.
    :param ca: the certificate authority (PEM text or a file); None for the system's.
    :param token: a bearer token, or a file that is read for every request (projected tokens rotate).
    :param agent: the name of the program, which becomes the field manager of its writes.
    """

    def __init__(
        self,
        url: str,
        *,
        ca: str | Path | None = None,
        token: str | Path = "",
        agent: str = "meshcourse",
    ) -> None:
        self._endpoint = Endpoint(url.rstrip("/"), ca, token)
        self._agent = agent
        self._session: aiohttp.ClientSession | None = None
        self._open_responses: set[aiohttp.ClientResponse] = set()

    @classmethod
    def from_kubeconfig(cls, path: Path, *, context: str = "", agent: str = "meshcourse") -> Self:
        """The cluster and user of a context (the current one by default).

        :raises MeshcourseError: if the file does not say.
        """
        client = cls("", agent=agent)
        client._endpoint = config.from_kubeconfig(path, context)
        return client

    @classmethod
    def in_pod(cls, *, agent: str = "meshcourse") -> Self:
        """The API server as a container sees it: environment and mounted service account.

        :raises MeshcourseError: outside a pod.
        """
        client = cls("", agent=agent)
        client._endpoint = config.in_pod()
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; watches end."""
        for response in list(self._open_responses):
            response.close()  # closing the session alone would leave readers waiting for ever
        session, self._session = self._session, None
        if session:
            await session.close()

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        return await self.request("GET", resource.path(namespace, name, subresource))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> ListResult:
        query = _selection(label_selector, field_selector) | {"limit": str(_PAGE)}
        items: list[Object] = []
        while True:
            page = await self.request("GET", resource.path(namespace), query=query)
            items += page.get("items") or ()
            token = objects.dig(page, "metadata.continue", "")
            if not token:
                break
            query["continue"] = token
        for item in items:  # lists of real servers leave these out
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return ListResult(items, objects.dig(page, "metadata.resourceVersion", ""))

    async def create(
        self,
        resource: Resource,
        obj: Object,
        namespace: str | None = None,
        *,
        name: str = "",
        subresource: str = "",
        field_manager: str = "",
    ) -> Object:
        path = resource.path(namespace or objects.namespace(obj), name, subresource)
        return await self.request("POST", path, obj, query=_manager(field_manager))

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", field_manager: str = ""
    ) -> Object:
        path = resource.path(objects.namespace(obj), objects.name(obj), subresource)
        return await self.request("PUT", path, obj, query=_manager(field_manager))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        kind: PatchKind = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        query = _manager(field_manager or (self._agent if kind == "apply" else ""))
        if force:
            query["force"] = "true"
        path = resource.path(namespace, name, subresource)
        return await self.request("PATCH", path, patch, query=query, media=_PATCHES[kind])

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        grace_seconds: int | None = None,
        uid: str = "",
    ) -> Object:
        options: Object = {"propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid:
            options["preconditions"] = {"uid": uid}
        return await self.request("DELETE", resource.path(namespace, name), options)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        query = _selection(label_selector, field_selector)
        query |= {"watch": "true", "allowWatchBookmarks": "true"}
        if resource_version:
            query["resourceVersion"] = resource_version
        path = resource.path(namespace)
        async with self._response("GET", path, None, query, timeout=_ENDLESS) as response:
            async for line in _lines(response):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise status.from_status(event["object"])
                yield WatchEvent(event["type"], event["object"])

    async def raw(self, path: str) -> bytes:
        """What a URL of the server holds that is no resource's (``/version``).

        :raises ApiError: as all methods.
        """
        async with self._response("GET", path, None, {}) as response:
            return await response.read()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: _Query | None = None,
        media: str = "application/json",
    ) -> Object:
        """Any request that answers with an object, where the other methods do not fit (``?dryRun=All``)."""
        async with self._response(method, path, body, query or {}, media) as response:
            found: Object = orjson.loads(await response.read())
            return found

    @contextlib.asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        body: Any,
        query: _Query,
        media: str = "application/json",
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": media, "Accept": "application/json"}
        token = self._endpoint.bearer()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._open().request(
                method,
                self._endpoint.url + path,
                params=query,
                data=data,
                headers=headers,
                timeout=timeout,
            ) as response:
                self._open_responses.add(response)
                try:
                    if response.status >= 400:
                        raise _failure(response.status, await response.read())
                    yield response
                finally:
                    self._open_responses.discard(response)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
            raise _unreachable(self._endpoint.url, error) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No limit: every watch holds a connection.
            connector = aiohttp.TCPConnector(limit=0, ssl=self._endpoint.tls())
            self._session = aiohttp.ClientSession(
                connector=connector, headers={"User-Agent": self._agent}, trust_env=False
            )
        return self._session


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Whole lines, however long (objects exceed what stream readers accept as a line).

    A connection that breaks is the end, like one that the server ends: watchers go on from what they have.
    """
    rest = b""
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield line


def _selection(labels: str, fields: str) -> _Query:
    found = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in found.items() if value}


def _manager(name: str) -> _Query:
    return {"fieldManager": name} if name else {}


def _failure(code: int, body: bytes) -> ApiError:
    """The error in a response; plain text where it is no Status."""
    with contextlib.suppress(orjson.JSONDecodeError, AttributeError):
        found = orjson.loads(body)
        if found.get("kind") == "Status":
            return status.from_status(found)
    text = body.decode(errors="replace").strip() or f"HTTP status {code}"
    return ApiError(code, {404: "NotFound"}.get(code, "Unknown"), text)


def _unreachable(url: str, error: BaseException) -> ApiError:
    text = f"cannot reach the API server at {url}: {error or type(error).__name__}"
    return ApiError(503, "ServiceUnavailable", text)
