"""The store: every object of the cluster by resource, namespace and name, with one revision counter for all.

Objects handed out are shared: nobody changes one in place. All methods run in the event loop's thread and none
awaits, so that read, compare and write are one step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson

from meshcourse.embedded.apiserver.store.events import Event, Subscription, Topic
from meshcourse.embedded.apiserver.store.journal import Journal
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object

Objects = list[Object]
Names = list[str]
Listeners = list[Callable[[Event], None]]


class Changed(Exception):
    """The object is not (or no longer) what the caller believed it to be."""


class Store:
    """Keys of resources are their qualified plurals: ``pods``, ``deployments.apps``."""

    def __init__(self, path: Path | None = None) -> None:
        """Load what `path` holds; without a path nothing is kept."""
        self._journal = Journal(path) if path else None
        self._objects: dict[str, dict[Key, Object]] = {}
        self._topics: dict[str, Topic] = {}
        self._listeners: dict[str, Listeners] = {}
        self.revision = 0
        if self._journal:
            self._load(self._journal)
        self._floor = self.revision

    def _load(self, journal: Journal) -> None:
        for row in journal.rows():
            self._objects.setdefault(row.resource, {})[Key(row.namespace, row.name)] = row.body
        self.revision = journal.revision()

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        return self._objects.get(resource, {}).get(Key(namespace, name))

    def list(self, resource: str, namespace: str = "") -> Objects:
        """All objects, in the order of namespace and name; of one namespace if given."""
        found = self._objects.get(resource, {})
        keys = sorted(key for key in found if not namespace or key.namespace == namespace)
        return [found[key] for key in keys]

    def resources(self) -> Names:
        """The resources that have objects."""
        return [resource for resource, found in self._objects.items() if found]

    def add(self, resource: str, obj: Object) -> Object:
        """Store a new object, which gets its ``resourceVersion``.

        :raises Changed: if there is one of that name.
        """
        if self.get(resource, *objects.key(obj)) is not None:
            raise Changed(objects.name(obj))
        self._put(resource, obj, None)
        return obj

    def replace(self, resource: str, obj: Object, old: Object) -> Object:
        """Store `obj` in the place of `old`.

        :raises Changed: if the stored object is no longer `old`.
        """
        self._expect(resource, old)
        self._put(resource, obj, old)
        return obj

    def remove(self, resource: str, old: Object) -> Object:
        """Remove `old`; returns it with the revision of its removal.

        :raises Changed: if the stored object is no longer `old`.
        """
        self._expect(resource, old)
        key, revision = objects.key(old), self.revision + 1
        last = {**old, "metadata": {**old["metadata"], "resourceVersion": str(revision)}}
        if self._journal:
            self._journal.delete(resource, *key, revision)
        self.revision = revision
        del self._objects[resource][key]
        self._publish(resource, Event(revision, "DELETED", last, old))
        return last

    def subscribe(self, resource: str, revision: int) -> Subscription:
        """Events after `revision` (see `Topic.subscribe`)."""
        return self._topic(resource).subscribe(revision, self.revision)

    def listen(self, resource: str, callback: Callable[[Event], None]) -> None:
        """Call `callback` within every change of `resource`, before any watcher is told."""
        self._listeners.setdefault(resource, []).append(callback)

    def end_watches(self, resource: str | None = None) -> None:
        """End all subscriptions, or those of one resource (its kind is no longer served)."""
        for name, topic in self._topics.items():
            if resource in (None, name):
                for subscription in list(topic.subscriptions):
                    subscription.end()

    def close(self) -> None:
        """End watches and close the file; a second time is harmless."""
        self.end_watches()
        journal, self._journal = self._journal, None
        if journal:
            journal.close()

    def _expect(self, resource: str, old: Object) -> None:
        current = self.get(resource, *objects.key(old))
        if current is None or _version(current) != _version(old):
            raise Changed(objects.name(old))

    def _put(self, resource: str, obj: Object, old: Object | None) -> None:
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        if self._journal:
            key = objects.key(obj)
            self._journal.put(resource, *key, revision, orjson.dumps(obj))
        self.revision = revision
        self._objects.setdefault(resource, {})[objects.key(obj)] = obj
        self._publish(resource, Event(revision, "MODIFIED" if old else "ADDED", obj, old))

    def _publish(self, resource: str, event: Event) -> None:
        for callback in self._listeners.get(resource, ()):
            callback(event)
        self._topic(resource).publish(event)

    def _topic(self, resource: str) -> Topic:
        if resource not in self._topics:
            self._topics[resource] = Topic(self._floor)
        return self._topics[resource]


def _version(obj: Object) -> tuple[str, str]:
    return objects.uid(obj), obj["metadata"]["resourceVersion"]
