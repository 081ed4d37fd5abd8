"""The order of admission: built-in plugins mutate, webhooks mutate; later plugins and webhooks validate."""

from __future__ import annotations

from collections.abc import Sequence

from meshcourse.embedded.apiserver.admission.attributes import Attributes, Plugin
from meshcourse.embedded.apiserver.admission.webhooks import Webhooks


class Chain:
    """Mutation runs before the kind's own rules, validation after them, right before the object is stored."""

    def __init__(self, plugins: Sequence[Plugin], webhooks: Webhooks) -> None:
        self._plugins = plugins
        self._webhooks = webhooks

    async def mutate(self, attributes: Attributes) -> None:
        """Let plugins and mutating webhooks change ``attributes.object``.

        :raises ApiError: if one refuses, or a webhook with failurePolicy Fail cannot be called.
        """
        for plugin in self._plugins:
            plugin.admit(attributes)
        if await self._webhooks.mutate(attributes):
            for plugin in self._plugins:  # containers that a webhook adds need tokens, too
                plugin.admit(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """:raises ApiError: as `mutate`."""
        for plugin in self._plugins:
            plugin.validate(attributes)
        await self._webhooks.validate(attributes)

    async def close(self) -> None:
        await self._webhooks.close()
