"""A small in-memory API server behind the `Client` protocol, with just what controllers rely on.

resourceVersions that count, conflicts, generations, the status subresource, merge patches, generateName, finalizers,
graceful deletion of scheduled pods, namespace life cycle, owner-propagation finalizers, watches from a version.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from typing import Any

from meshcourse.embedded.client.protocol import ListResult, WatchEvent
from meshcourse.embedded.controllers import naming
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource


class FakeClient:
    """`calls` lists every write as ``(verb, plural, name)``; `refuse` may raise from any write."""

    def __init__(self) -> None:
        self.data: dict[Resource, dict[Key, Object]] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.refuse: Any = None
        self.log: list[tuple[int, Resource, WatchEvent]] = []
        self.expired = 0
        self._versions = itertools.count(1)
        self._version = 0
        self._stops: dict[Resource, int] = {}
        self._news: set[asyncio.Event] = set()

    # -- reads ------------------------------------------------------------------------------

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        found = self._of(resource).get(Key(namespace or "", name))
        if found is None:
            raise status.not_found(resource, name)
        if subresource == "scale":
            return _scale(found)
        return found

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> ListResult:
        items = [o for k, o in self._of(resource).items() if namespace in (None, k.namespace)]
        return ListResult(items, str(self._version))

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        news = asyncio.Event()
        self._news.add(news)
        version = int(resource_version or 0)
        if version < self.expired:
            raise status.gone(f"too old resource version: {version} ({self.expired})")
        position, stops = 0, self._stops.get(resource, 0)
        try:
            while True:
                while position < len(self.log):
                    at, kind, event = self.log[position]
                    position += 1
                    if at > version and kind == resource:
                        yield event
                if self._stops.get(resource, 0) != stops:
                    return
                news.clear()
                await news.wait()
        finally:
            self._news.discard(news)

    # -- writes -----------------------------------------------------------------------------

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
        made = objects.clone(obj)
        meta = objects.meta(made)
        if not meta.get("name"):
            meta["name"] = meta["generateName"] + naming.suffix()
        self._note("create", resource, meta["name"], made)
        if resource.namespaced:
            meta["namespace"] = namespace
            self._admit(resource, namespace or "", meta["name"])
        key = objects.key(made)
        if key in self._of(resource):
            raise status.already_exists(resource, key.name)
        made |= {"apiVersion": resource.api_version, "kind": resource.kind}
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": objects.now(), "generation": 1}
        if resource == refs.NAMESPACES:
            made["spec"] = {"finalizers": ["kubernetes"]}
        if resource == refs.PODS:
            made.setdefault("status", {"phase": "Pending"})
        return self._store(resource, "ADDED", made)

    def _admit(self, resource: Resource, namespace: str, name: str) -> None:
        space = self._of(refs.NAMESPACES).get(Key("", namespace))
        if space is not None and objects.deleting(space):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            error = status.forbidden(resource, name, why)
            error.details = {"causes": [{"reason": "NamespaceTerminating"}]}
            raise error

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", field_manager: str = ""
    ) -> Object:
        self._note(f"update {subresource}".strip(), resource, objects.name(obj), obj)
        old = await self.get(resource, objects.name(obj), objects.namespace(obj))
        version = obj["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise status.conflict(resource, objects.name(obj))
        new = objects.clone(old)
        if subresource == "scale":
            new["spec"]["replicas"] = obj["spec"]["replicas"]
        elif subresource == "finalize":
            new["spec"]["finalizers"] = obj["spec"]["finalizers"]
        elif subresource:
            new[subresource] = objects.clone(obj.get(subresource))
            if resource == refs.DEPLOYMENTS and "annotations" in obj["metadata"]:
                new["metadata"]["annotations"] = objects.clone(obj["metadata"]["annotations"])
        else:
            new = objects.clone({**obj, **({"status": old["status"]} if "status" in old else {})})
            new["metadata"] |= {k: old["metadata"][k] for k in ("uid", "creationTimestamp")}
        return self._replace(resource, old, new)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        kind: str = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        self._note("patch", resource, name, patch)
        assert kind == "merge"
        old = await self.get(resource, name, namespace)
        wanted = (patch.get("metadata") or {}).get("uid", objects.uid(old))
        version = (patch.get("metadata") or {}).get("resourceVersion")
        if wanted != objects.uid(old) or version not in (None, old["metadata"]["resourceVersion"]):
            raise status.conflict(resource, name)
        return self._replace(resource, old, _merge(objects.clone(old), patch))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
        uid: str = "",
    ) -> Object:
        self._note("delete", resource, name, {})
        old = await self.get(resource, name, namespace)
        if uid and uid != objects.uid(old):
            raise status.conflict(resource, name)
        new = objects.clone(old)
        meta = new["metadata"]
        finalizer = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(
            propagation, []
        )
        meta["finalizers"] = [*(meta.get("finalizers") or []), *finalizer]
        running = objects.dig(old, "status.phase") not in ("Succeeded", "Failed")
        scheduled = resource == refs.PODS and old["spec"].get("nodeName")
        graceful = scheduled and running and grace_seconds != 0
        kept = resource == refs.NAMESPACES and new["spec"]["finalizers"]
        if not (meta["finalizers"] or graceful or kept):
            return self._remove(resource, new)
        if objects.deleting(old):
            return old
        meta["deletionTimestamp"] = objects.now()
        return self._store(resource, "MODIFIED", new)

    # -- the inside -------------------------------------------------------------------------

    def _of(self, resource: Resource) -> dict[Key, Object]:
        return self.data.setdefault(resource, {})

    def _note(self, verb: str, resource: Resource, name: str, body: Any) -> None:
        self.calls.append((verb, resource.plural, name))
        if self.refuse is not None:
            self.refuse(verb, resource, name, body)

    def _replace(self, resource: Resource, old: Object, new: Object) -> Object:
        if new == old:
            return old
        meta = new["metadata"]
        if new.get("spec") != old.get("spec"):
            meta["generation"] = old["metadata"].get("generation", 1) + 1
        held = meta.get("finalizers") or (resource == refs.NAMESPACES and new["spec"]["finalizers"])
        running = objects.dig(new, "status.phase") not in ("Succeeded", "Failed")
        waiting = resource == refs.PODS and new["spec"].get("nodeName") and running
        if objects.deleting(new) and not held and not waiting:
            return self._remove(resource, new)
        return self._store(resource, "MODIFIED", new)

    def _store(self, resource: Resource, type_: str, obj: Object) -> Object:
        self._version = next(self._versions)
        obj["metadata"]["resourceVersion"] = str(self._version)
        self._of(resource)[objects.key(obj)] = obj
        self.tell(resource, type_, obj)
        return obj

    def _remove(self, resource: Resource, obj: Object) -> Object:
        del self._of(resource)[objects.key(obj)]
        self._version = next(self._versions)
        obj["metadata"]["resourceVersion"] = str(self._version)
        self.tell(resource, "DELETED", obj)
        return obj

    def tell(self, resource: Resource, type_: str, obj: Object) -> None:
        self.log.append((self._version, resource, WatchEvent(type_, obj)))
        for news in self._news:
            news.set()

    def end_watches(self, resource: Resource, *, expire: bool = False) -> None:
        """End the watches of a kind; with `expire` every version up to now is too old afterwards."""
        self._stops[resource] = self._stops.get(resource, 0) + 1
        if expire:
            self._version = self.expired = next(self._versions)
        for news in self._news:
            news.set()

    def silently_remove(self, resource: Resource, key: Key) -> None:
        """Remove without an event: what an informer misses while its watch is broken."""
        del self._of(resource)[key]


def _scale(obj: Object) -> Object:
    labels = obj["spec"]["selector"]["matchLabels"]
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {
            k: obj["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion")
        },
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {"selector": ",".join(f"{k}={v}" for k, v in labels.items())},
    }


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merge(found.get(key), value)
    return found
