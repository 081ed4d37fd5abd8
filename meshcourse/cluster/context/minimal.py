"""One context of the user's kubeconfig as a file of its own, readable by this user only.

The user's own file is never written: tools of the course may change the namespace of their copy without harm.
Source: kubeconfig v1; ``KUBECONFIG`` is a list of files, of which the first to name something wins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.manifests import Object

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def sources() -> list[Path]:
    """The files that kubectl would read."""
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path.home() / ".kube" / "config"]


def extract(context: str = "", files: list[Path] | None = None) -> Object:
    """The configuration of one context (default: the current one), with absolute paths.

    :raises ClusterError: if no file has it.
    """
    merged = _merged(files if files is not None else sources())
    chosen = context or str(merged["current-context"])
    entry = _named(merged, "contexts", chosen)
    cluster, user = entry["context"].get("cluster", ""), entry["context"].get("user", "")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": chosen,
        "contexts": [entry],
        "clusters": [_named(merged, "clusters", cluster)],
        "users": [_named(merged, "users", user)] if user else [{"name": "", "user": {}}],
    }


def write(config: Object, target: Path) -> Path:
    """The file, 0600, in one step."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file)
    os.replace(fresh, target)
    return target


def _merged(files: list[Path]) -> dict[str, Any]:
    found: dict[str, Any] = {"current-context": "", "contexts": {}, "clusters": {}, "users": {}}
    present = [path for path in files if path.expanduser().is_file()]
    if not present:
        listed = ", ".join(map(str, files))
        raise ClusterError(
            f"there is no kubeconfig at {listed}",
            remedy="Set KUBECONFIG to the file that you got for the cluster, "
            "or use the embedded cluster: `meshcourse up --cluster embedded`.",
        )
    for path in present:
        data = _load(path.expanduser())
        found["current-context"] = found["current-context"] or data.get("current-context") or ""
        for plural in ("contexts", "clusters", "users"):
            for item in data.get(plural) or []:
                found[plural].setdefault(item["name"], _absolute(item, path.expanduser().parent))
    return found


def _load(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ClusterError(f"{path} is not a kubeconfig: {error}") from error
    if not isinstance(data, dict):
        raise ClusterError(f"{path} is not a kubeconfig")
    return data


def _absolute(item: Object, base: Path) -> Object:
    """Paths beside the file they were written in."""
    inner = next((key for key in ("cluster", "user") if key in item), "")
    body = dict(item.get(inner) or {})
    for field in _FILES:
        if body.get(field):
            body[field] = str((base / body[field]).resolve())
    return {**item, inner: body} if inner else item


def _named(merged: dict[str, Any], plural: str, name: str) -> Object:
    found: Object | None = merged[plural].get(name)
    if found is None:
        known = ", ".join(merged[plural]) or "none"
        what = plural.removesuffix("s")
        raise ClusterError(
            f'no {what} "{name}" in the kubeconfig' if name else f"the kubeconfig names no {what}",
            remedy=f"Its {plural} are: {known}. Say which: `meshcourse up --cluster context:NAME`.",
        )
    return found
