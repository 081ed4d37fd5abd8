"""Read your own writes: what a controller has written for a key and must see in its caches before acting again.

Plays the part of the expectations in kube-controller-manager. It is simpler, because the engine's API server counts one
resourceVersion for everything: a cache that has seen a later version has seen the write.
"""

from __future__ import annotations

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object


class Writes:
    """Per key of the controller: versions and deletions to wait for."""

    def __init__(self) -> None:
        self._versions: dict[Key, dict[Informer, int]] = {}
        self._deletions: dict[Key, list[tuple[Informer, Key, str]]] = {}

    def wrote(self, key: Key, informer: Informer, written: Object) -> Object:
        """Wait until `informer` has seen `written`, which a create, update or patch returned. Returns it."""
        text = str(objects.dig(written, "metadata.resourceVersion", ""))
        if text.isdigit():
            versions = self._versions.setdefault(key, {})
            versions[informer] = max(versions.get(informer, 0), int(text))
        return written

    def deleted(self, key: Key, informer: Informer, target: Object) -> None:
        """Wait until `informer` shows `target` gone or going."""
        entry = (informer, objects.key(target), objects.uid(target))
        self._deletions.setdefault(key, []).append(entry)

    def seen(self, key: Key) -> bool:
        """Whether the caches show everything written for `key`."""
        versions = self._versions.get(key, {})
        if any(informer.resource_version < version for informer, version in versions.items()):
            return False
        if any(not _gone(*entry) for entry in self._deletions.get(key, ())):
            return False
        self._versions.pop(key, None)
        self._deletions.pop(key, None)
        return True


def _gone(informer: Informer, target: Key, uid: str) -> bool:
    obj = informer.items.get(target)
    return obj is None or objects.uid(obj) != uid or objects.deleting(obj)
