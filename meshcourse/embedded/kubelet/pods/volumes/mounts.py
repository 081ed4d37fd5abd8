"""Link a pod's volumes into a container's root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.pods import environment
from meshcourse.embedded.kubelet.pods.environment import ConfigError
from meshcourse.embedded.kubelet.pods.view import PodView


def mount_all(view: PodView, container: Object, root: Path) -> None:
    """Make ``root/<mountPath>`` a link to the volume (or a part of it), for every mount.

    :raises ConfigError: for a mount of a volume that the pod does not have.
    """
    known = {volume["name"] for volume in view.spec.get("volumes") or []}
    mounts = container.get("volumeMounts") or []
    for mount in sorted(mounts, key=lambda mount: len(mount["mountPath"])):
        if mount["name"] not in known:
            raise ConfigError(f'cannot find volume "{mount["name"]}" to mount into container')
        source = view.node.layout.volume(view.uid, mount["name"])
        _mount(source, _sub_path(view, mount), root / mount["mountPath"].lstrip("/"))


def _sub_path(view: PodView, mount: Object) -> str:
    if mount.get("subPathExpr"):
        fields = {**view.fields(), "POD_NAME": view.name, "POD_NAMESPACE": view.namespace}
        return environment.expand(mount["subPathExpr"], fields)
    return str(mount.get("subPath") or "")


def _mount(source: Path, sub_path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if sub_path:
        source = _part(source, sub_path)
        if source.is_file():  # as in Kubernetes, a file mounted by subPath does not change later
            _replace(target)
            shutil.copy2(source, target)
            return
    if target.is_symlink() and Path(os.readlink(target)) == source:
        return
    _replace(target)
    target.symlink_to(source)


def _part(source: Path, sub_path: str) -> Path:
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise ConfigError(f'subPath "{sub_path}" must be relative and must not contain ".."')
    part = source / sub_path
    if not part.exists():
        part.mkdir(parents=True, mode=0o700)
    return part


def _replace(target: Path) -> None:
    """Make room for a mount over what is there (an earlier mount, or a directory a program has made)."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
