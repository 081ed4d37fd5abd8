"""Mutating and validating webhooks."""

from __future__ import annotations

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.store.store import Store


class Webhooks:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def mutate(self, attributes: Attributes) -> None:
        """Call mutating webhooks."""

    async def validate(self, attributes: Attributes) -> None:
        """Call validating webhooks."""

    async def close(self) -> None:
        """Close connections."""
