"""From YAML text to Kubernetes objects. Pure.

Source: kubectl's handling of manifests (several documents, ``List`` kinds, empty documents skipped).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from meshcourse.cluster.errors import ClusterError

Object = dict[str, Any]


def parse(text: str, *, source: str = "the YAML") -> list[Object]:
    """The objects of a manifest, in order; the items of a ``List`` one by one.

    :raises ClusterError: if the text is not YAML or a document is not a Kubernetes object.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise ClusterError(
            f"{source} does not parse: {error}", remedy=_yaml_remedy(text)
        ) from error
    found: list[Object] = []
    for document in documents:
        if document is not None:
            found.extend(_objects(document, source))
    return found


def read(path: Path) -> list[Object]:
    """The objects of a file, or of every ``.yaml``, ``.yml`` and ``.json`` file of a folder in name order.

    :raises ClusterError: if nothing is there.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml", ".json"})
    else:
        files = [path]
    if not files or not all(file.is_file() for file in files):
        raise ClusterError(f'the path "{path}" does not exist')
    return [obj for file in files for obj in parse(file.read_text("utf-8"), source=str(file))]


def in_namespace(obj: Object, namespace: str) -> Object:
    """A copy with `namespace` filled in where the object names none."""
    filled = copy.deepcopy(obj)
    filled.setdefault("metadata", {}).setdefault("namespace", namespace)
    return filled


def name_of(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")


def namespace_of(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("namespace") or "")


def dig(obj: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path of keys, or `default` where a step is absent or null."""
    for step in path.split("."):
        if not isinstance(obj, dict):
            return default
        obj = obj.get(step)
    return default if obj is None else obj


def _objects(document: Any, source: str) -> list[Object]:
    if not isinstance(document, dict):
        raise ClusterError(
            f"{source} has a document that is not an object: {str(document)[:60]!r}",
            remedy="Each document starts with `apiVersion:` and `kind:`.",
        )
    if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        return [obj for item in document["items"] for obj in _objects(item, source)]
    for field in ("apiVersion", "kind"):
        if not document.get(field):
            raise ClusterError(f"{source} has an object without `{field}`")
    return [document]


def _yaml_remedy(text: str) -> str:
    if "\t" in text:
        return "YAML does not allow tabs: indent with spaces."
    return (
        "The line and column above are where YAML gave up; the mistake is often one line earlier."
    )


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
