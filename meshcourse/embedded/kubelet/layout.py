"""Where the kubelet keeps files below the cluster's state directory. Everything is 0700: mounted secrets are inside."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one node.

    :param root: the state directory of the cluster.
    """

    root: Path

    @property
    def pods(self) -> Path:
        return self.root / "pods"

    @property
    def logs(self) -> Path:
        return self.root / "logs" / "pods"

    @property
    def node_root(self) -> Path:
        """What hostPath volumes see as the root of the node."""
        return self.root / "node"

    @property
    def programs(self) -> Path:
        """Launchers of the engine's own programs, first on every container's PATH."""
        return self.root / "bin"

    @property
    def images(self) -> Path:
        """The learner's own images."""
        return self.root / "images.json"

    def pod(self, uid: str) -> Path:
        return self.pods / uid

    def volume(self, uid: str, name: str) -> Path:
        return self.pods / uid / ".volumes" / name

    def container_root(self, uid: str, container: str) -> Path:
        """The container's root and working directory."""
        return self.pods / uid / container / "root"

    def pod_logs(self, namespace: str, name: str, uid: str) -> Path:
        return self.logs / f"{namespace}_{name}_{uid}"

    def prepare(self) -> None:
        for path in (self.root, self.pods, self.logs):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        logs = self.node_root / "var" / "log" / "pods"
        logs.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not logs.is_symlink():
            logs.symlink_to(self.logs)

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Remove what a deleted pod left. Mounts are symlinks, so nothing outside is touched."""
        for path in (self.pod(uid), self.pod_logs(namespace, name, uid)):
            self.remove(path)

    @staticmethod
    def remove(path: Path) -> None:
        """Remove a directory, whatever is in it, if it is there."""
        shutil.rmtree(path, ignore_errors=True)


def write_private(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file atomically that only this user may read, unless `mode` says otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
