"""istiod's CA in its webhook configurations (``caBundle``), so that the API server trusts it.

Source: istiod's webhook patcher; the validating webhook fails closed only once istiod serves it.
"""

from __future__ import annotations

import base64
from typing import Any

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource


class Bundles:
    """Patches the configurations whose webhooks lead to this istiod."""

    def __init__(
        self,
        client: Client,
        mutating: Informer,
        validating: Informer,
        service: str,
        root: str,
    ) -> None:
        self._client = client
        self._informers = {refs.MUTATING_WEBHOOKS: mutating, refs.VALIDATING_WEBHOOKS: validating}
        self._service = service
        self._bundle = base64.b64encode(root.encode()).decode()
        self._queue: WorkQueue[tuple[Resource, str]] = WorkQueue(
            self._sync, name="webhook configuration", workers=2
        )

    def start(self) -> None:
        """Begin; call it when the webhooks are served."""
        self._queue.start()
        for resource, informer in self._informers.items():
            informer.add_handler(
                lambda type_, obj, old, kind=resource: self._queue.add((kind, objects.name(obj)))  # type: ignore[misc]
            )

    async def stop(self) -> None:
        await self._queue.stop()

    @property
    def patched(self) -> bool:
        """Whether all configurations known now carry the bundle."""
        return all(
            not self._changes(resource, obj)
            for resource, informer in self._informers.items()
            for obj in informer.items.values()
        )

    async def _sync(self, key: tuple[Resource, str]) -> None:
        resource, name = key
        found = self._informers[resource].get("", name)
        if found is None:
            return
        changes = self._changes(resource, found)
        if changes:
            await self._client.patch(resource, name, changes, kind="json")

    def _changes(self, resource: Resource, configuration: Object) -> list[dict[str, Any]]:
        changes: list[dict[str, Any]] = []
        for index, webhook in enumerate(configuration.get("webhooks") or ()):
            target = webhook.get("clientConfig") or {}
            if objects.dig(target, "service.name", "") != self._service:
                continue
            path = f"/webhooks/{index}"
            if target.get("caBundle") != self._bundle:
                bundle = {"op": "add", "path": f"{path}/clientConfig/caBundle"}
                changes.append({**bundle, "value": self._bundle})
            closed = webhook.get("failurePolicy") == "Fail"
            if resource is refs.VALIDATING_WEBHOOKS and not closed:
                policy = {"op": "add", "path": f"{path}/failurePolicy", "value": "Fail"}
                changes.append(policy)
        return changes
