"""The one interface through which controllers, kubelet, istiod and istioctl use the Kubernetes API.

Two implementations: `apiserver.local.LocalClient` (in the daemon, same admission and validation as a request) and
`client.http.HttpClient` (HTTPS with a token). Verbs as in Kubernetes API concepts. Every method raises
`kube.status.ApiError` as the server words it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

PatchKind = Literal["json", "merge", "strategic", "apply"]


@dataclass(frozen=True, slots=True)
class ListResult:
    """The objects of a list and the resourceVersion to watch from."""

    items: list[Object]
    resource_version: str


class WatchEvent(NamedTuple):
    """``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, with the object (shared: do not mutate)."""

    type: str
    object: Object


class Client(Protocol):
    """Objects returned may be shared with caches: copy before changing."""

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object: ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> ListResult: ...

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
        """POST. `name` and `subresource` for creates like ``serviceaccounts/default/token``."""
        ...

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", field_manager: str = ""
    ) -> Object:
        """PUT; the object's resourceVersion, if set, must be current (409 otherwise)."""
        ...

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
    ) -> Object: ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        grace_seconds: int | None = None,
        uid: str = "",
    ) -> Object: ...

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Events after `resource_version`; ends when the server ends it; `ApiError` 410 if too old."""
        ...
