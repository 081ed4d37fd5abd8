"""What the learner has solved and which hints were shown, kept in the state folder, one file for all clusters."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from meshcourse import paths


class Store:
    """The learner's progress.

    :param path: the file (default: ``progress.json`` in the state folder). A damaged file counts as empty.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or paths.state() / "progress.json"

    def solved(self) -> set[str]:
        """The labs whose checks have all held at some time."""
        return {slug for slug, entry in self._read().items() if entry.get("solved")}

    def hints(self, slug: str) -> int:
        """How many hints of a lab have been shown."""
        return int(self._read().get(slug, {}).get("hints", 0))

    def mark_solved(self, slug: str) -> None:
        self._change(slug, solved=True)

    def mark_hints(self, slug: str, count: int) -> None:
        self._change(slug, hints=count)

    def reset(self) -> None:
        """Forget everything."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, Any]]:
        with contextlib.suppress(OSError, ValueError):
            data = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(data, dict):
                return {slug: entry for slug, entry in data.items() if isinstance(entry, dict)}
        return {}

    def _change(self, slug: str, **fields: Any) -> None:
        data = self._read()
        data[slug] = {**data.get(slug, {}), **fields}
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".progress-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=2, sort_keys=True)
        os.replace(name, self._path)
