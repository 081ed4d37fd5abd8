"""The OpenAPI definitions of the built-in kinds, read from the installed package ``kubernetes-validate``.

The package ships Kubernetes' published definitions (one JSON file per Kubernetes version). Boot reads a compact copy
without prose from the user's cache directory; the full file is read once to make that copy, and again only when
somebody asks for prose (``kubectl explain``). Nothing of it is committed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

import orjson

from meshcourse import versions
from meshcourse.embedded.apiserver.schemas import supplement
from meshcourse.errors import MeshcourseError

#: Definitions by full name, for example ``io.k8s.api.core.v1.Pod``.
Definitions = dict[str, dict[str, Any]]

#: Raised when the layout of the compact copy changes.
_FORMAT = 2
_REF = "#/$defs/"


@functools.cache
def compact() -> Definitions:
    """All definitions without descriptions: from the cache, else made (and cached) from the package."""
    source = _source()
    cached = _cache_file(source)
    with contextlib.suppress(OSError, orjson.JSONDecodeError):
        found: Definitions = orjson.loads(cached.read_bytes())
        return found
    made = {name: _normalise(body, prose=False) for name, body in _read(source).items()}
    _write_atomically(cached, orjson.dumps(made))
    return made


def full() -> Definitions:
    """All definitions with descriptions. Not cached: some 10 ms to read, and large in memory."""
    return {name: _normalise(body, prose=True) for name, body in _read(_source()).items()}


def fingerprint() -> str:
    """Changes whenever the definitions may have changed (for ``/openapi/v3?hash=``)."""
    return _fingerprint(_source())


@functools.cache
def _source() -> Path:
    spec = importlib.util.find_spec("kubernetes_validate")
    folder = f"{versions.KUBERNETES}-local"
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root) / "kubernetes-json-schema" / folder / "_definitions.json"
        if path.exists():
            return path
    raise MeshcourseError(
        f"the schemas of Kubernetes {versions.KUBERNETES} are not installed",
        remedy="reinstall the package: pip install --force-reinstall kubernetes-validate==1.37.0",
    )


def _read(source: Path) -> Definitions:
    found: Definitions = orjson.loads(source.read_bytes())["$defs"]
    return {**found, **supplement.DEFINITIONS}


@functools.cache
def _fingerprint(source: Path) -> str:
    stat = source.stat()
    identity = (
        f"{_FORMAT} {versions.KUBERNETES} {stat.st_size} {stat.st_mtime_ns} {supplement.VERSION}"
    )
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _cache_file(source: Path) -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "meshcourse" / f"kubernetes-schemas-{_fingerprint(source)}.json"


def _write_atomically(path: Path, body: bytes) -> None:
    """Best effort: a cache that cannot be written only costs time at the next start."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        os.replace(temporary, path)


def _normalise(schema: Any, *, prose: bool, properties: bool = False) -> Any:
    """JSON schema as OpenAPI has it: no null types, no generated enums; `properties` marks a name → schema map."""
    if isinstance(schema, list):
        return [_normalise(item, prose=prose) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if properties:
        return {name: _normalise(body, prose=prose) for name, body in schema.items()}
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "enum" or (key == "description" and not prose):
            continue
        made[key] = _keyword(key, value, prose)
    return made


def _keyword(key: str, value: Any, prose: bool) -> Any:
    if key == "$ref" and isinstance(value, str):
        return value.removeprefix(_REF)
    if key == "type" and isinstance(value, list):
        return next(kind for kind in value if kind != "null")
    return _normalise(value, prose=prose, properties=key == "properties")
