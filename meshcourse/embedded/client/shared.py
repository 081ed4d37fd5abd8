"""One informer per kind and scope, shared by everyone in the process who asks for it."""

from __future__ import annotations

import asyncio

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube.refs import Resource

_Scope = tuple[Resource, str | None, str, str]


class SharedInformers:
    """A factory that remembers. Add handlers and indexes first, then `start`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[_Scope, Informer] = {}

    def informer(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Informer:
        """The informer of this kind and scope, made on first use and not started here."""
        scope = (resource, namespace, label_selector, field_selector)
        if scope not in self._informers:
            self._informers[scope] = Informer(self._client, *scope)
        return self._informers[scope]

    async def start(self) -> None:
        """Start what is not started yet, all at once, and return when all are synced.

        :raises ApiError: the first refusal, see `Informer.start`.
        """
        await asyncio.gather(*(informer.start() for informer in self._informers.values()))

    async def remove(self, resource: Resource) -> None:
        """Stop and forget the informers of a kind that is no longer served."""
        for scope in [scope for scope in self._informers if scope[0] == resource]:
            await self._informers.pop(scope).stop()

    async def stop(self) -> None:
        await asyncio.gather(*(informer.stop() for informer in self._informers.values()))
