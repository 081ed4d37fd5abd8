"""The durable side of the store: one SQLite file in WAL mode.

A write is committed before the store shows it to anybody, so whatever was acknowledged survives ``kill -9`` of the
process (the pages are the operating system's by then). ``synchronous=NORMAL`` syncs at checkpoints only: a power
failure may lose the last moments, but never corrupts the file. Checkpoints run in a thread on a second connection,
because they sync to disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from meshcourse.embedded.kube.objects import Object

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT, namespace TEXT, name TEXT, revision INTEGER, body BLOB,
    PRIMARY KEY (resource, namespace, name)
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER);
"""
_PUT = (
    "INSERT INTO objects VALUES (?, ?, ?, ?, ?) ON CONFLICT (resource, namespace, name) "
    "DO UPDATE SET revision = excluded.revision, body = excluded.body"
)
_DELETE = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
_REVISION = "INSERT OR REPLACE INTO facts VALUES ('revision', ?)"
#: Writes between two checkpoints: about 8 MB of WAL with typical objects.
_CHECKPOINT_EVERY = 2000


class Row(NamedTuple):
    """One stored object as it is found at boot."""

    resource: str
    namespace: str
    name: str
    body: Object


class Journal:
    """Not thread-safe: the event loop's thread writes."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, readable by its owner only (it holds Secrets)."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        self._writes = 0
        self._checkpointer: threading.Thread | None = None
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        self._db.executescript(_SCHEMA)

    def revision(self) -> int:
        """The highest revision ever committed, 0 for a new file."""
        query = (
            "SELECT max((SELECT coalesce(max(revision), 0) FROM objects), "
            "(SELECT coalesce(max(value), 0) FROM facts WHERE name = 'revision'))"
        )
        return int(self._db.execute(query).fetchone()[0])

    def rows(self) -> Iterator[Row]:
        query = "SELECT resource, namespace, name, body FROM objects"
        for resource, namespace, name, body in self._db.execute(query):
            yield Row(resource, namespace, name, orjson.loads(body))

    def put(self, resource: str, namespace: str, name: str, revision: int, body: bytes) -> None:
        self._db.execute(_PUT, (resource, namespace, name, revision, body))
        self._count()

    def delete(self, resource: str, namespace: str, name: str, revision: int) -> None:
        """Remove a row and remember the revision of the removal, in one transaction."""
        self._db.execute("BEGIN")
        try:
            self._db.execute(_DELETE, (resource, namespace, name))
            self._db.execute(_REVISION, (revision,))
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        self._count()

    def close(self) -> None:
        if self._checkpointer:
            self._checkpointer.join()
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    def _count(self) -> None:
        self._writes += 1
        if self._writes % _CHECKPOINT_EVERY or (
            self._checkpointer and self._checkpointer.is_alive()
        ):
            return
        self._checkpointer = threading.Thread(target=self._checkpoint, name="checkpoint")
        self._checkpointer.start()

    def _checkpoint(self) -> None:
        db = sqlite3.connect(self._path)
        try:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            db.close()
