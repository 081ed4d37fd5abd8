"""CustomResourceDefinitions at work: what they say is served as soon as they are stored."""

from __future__ import annotations

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.store.events import Event
from meshcourse.embedded.kube import refs


class Definitions:
    """Keeps the registry in step with the stored definitions."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def follow(self) -> None:
        """Serve what is stored already, and follow changes."""
        for crd in self._core.store.list(refs.CRDS.qualified):
            self._core.registry.set_custom(crd)
        self._core.store.listen(refs.CRDS.qualified, self._on_event)

    def _on_event(self, event: Event) -> None:
        if event.type == "DELETED":
            self._core.registry.drop_custom(event.object)
        else:
            self._core.registry.set_custom(event.object)
