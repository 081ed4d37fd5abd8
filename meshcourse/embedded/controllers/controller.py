"""The frame of a controller: a queue of keys and one `sync` that makes the world of one key right."""

from __future__ import annotations

import abc
from typing import ClassVar

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.writes import Writes
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object


class Controller(abc.ABC):
    """Subclasses register handlers and indexes in ``__init__`` and implement `sync`.

    `sync` must bear being called at any time: it reads caches, compares with what should be, and writes the difference.
    """

    #: The component's name in events and log messages.
    name: ClassVar[str]

    #: How many objects are worked on at the same time.
    workers: ClassVar[int] = 4

    #: Longest pause after failures in a row, seconds.
    max_delay: ClassVar[float] = 60.0

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client = context.client
        self.queue: WorkQueue[Key] = WorkQueue(
            self._run, name=self.name, workers=self.workers, max_delay=self.max_delay
        )
        self.writes = Writes()

    @abc.abstractmethod
    async def sync(self, key: Key) -> float | None:
        """Make `key` right. A number asks to be called again after so many seconds."""

    @property
    def recorder(self) -> Recorder:
        return self.context.recorder(self.name)

    def enqueue(self, type_: str, obj: Object, old: Object | None) -> None:
        """An informer's handler that queues the object itself."""
        self.queue.add(objects.key(obj))

    def start(self) -> None:
        """Begin to work. All informers are synced."""
        self.queue.start()

    async def stop(self) -> None:
        await self.queue.stop()

    async def _run(self, key: Key) -> float | None:
        """Never act on a cache that does not yet show our own last writes: that is how pods get made twice."""
        if not self.writes.seen(key):
            return 1.0  # the event that brings them queues the key again; this is for safety only
        return await self.sync(key)
