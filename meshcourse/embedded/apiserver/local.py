"""The `Client` of components in the API server's own process: the same path as a request, without the wire."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Literal

from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.apiserver.rest import dispatch, filters
from meshcourse.embedded.apiserver.rest import watch as watches
from meshcourse.embedded.apiserver.rest.call import Call, Options
from meshcourse.embedded.apiserver.rest.watch import Watch, WatchOptions
from meshcourse.embedded.client.protocol import ListResult, PatchKind, WatchEvent
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError


class LocalClient:
    """Acts as `user`; bodies are copied, results are the store's own objects (do not change them)."""

    def __init__(self, core: Core, user: User) -> None:
        self._core = core
        self._user = user
        self._agent = user.name.rpartition(":")[2]

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        call = self._call("get", resource, namespace, name, subresource)
        return (await dispatch.read(self._core, call)).object

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> ListResult:
        call = self._call("list", resource, namespace)
        chosen = filters.parse(call.kind, label_selector, field_selector)
        page = dispatch.list_page(self._core, call, chosen, 0, "")
        return ListResult(page.items, page.revision)

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
        namespace = namespace or objects.namespace(obj)
        call = self._call("create", resource, namespace, name, subresource, field_manager)
        return (await dispatch.create(self._core, call, objects.clone(obj))).object

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", field_manager: str = ""
    ) -> Object:
        namespace, name = objects.key(obj)
        call = self._call("update", resource, namespace, name, subresource, field_manager)
        return (await dispatch.update(self._core, call, objects.clone(obj))).object

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
        call = self._call("patch", resource, namespace, name, subresource, field_manager, force)
        return (await dispatch.patch(self._core, call, objects.clone(patch), kind)).object

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
        call = self._call("delete", resource, namespace, name)
        body: Object = {"propagationPolicy": propagation, "preconditions": {"uid": uid}}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        return (await dispatch.delete(self._core, call, body)).object

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        call = self._call("watch", resource, namespace)
        chosen = filters.parse(call.kind, label_selector, field_selector)
        wanted = WatchOptions(resource_version, bookmarks=True, seconds=float("inf"))
        with contextlib.closing(Watch(self._core, call, chosen, wanted)) as watch:
            async for changes in watch:
                for change in changes:
                    yield WatchEvent(change.type, watches.served(call, change))

    def _call(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
        manager: str = "",
        force: bool = False,
    ) -> Call:
        options = Options(field_manager=manager, force=force)
        where = (namespace or "") if resource.namespaced else ""
        kind = self._kind(resource)
        call = Call(self._user, verb, kind, where, name, subresource, options, self._agent)
        self._core.authorizer.check(call)
        return call

    def _kind(self, resource: Resource) -> Kind:
        kind = self._core.registry.of(resource)
        if kind is None:
            text = "the server could not find the requested resource"
            raise ApiError(404, "NotFound", text, {"kind": resource.plural})
        return kind
