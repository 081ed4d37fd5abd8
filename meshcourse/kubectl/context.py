"""What every verb gets: the cluster, where to print, standard input, and the flags it was called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from meshcourse.cluster import manifests
from meshcourse.cluster.cluster import Cluster
from meshcourse.kubectl.arguments import Parsed
from meshcourse.kubectl.errors import KubectlError


@dataclass
class Context:
    """One call of kubectl.

    :param write: prints; standard output and standard error are one stream here.
    :param stdin: the text that ``-f -`` reads.
    :param folder: where relative file names are looked up.
    """

    cluster: Cluster
    write: Callable[[str], None]
    stdin: str = ""
    folder: Path = field(default_factory=Path.cwd)
    args: Parsed = field(default_factory=Parsed)

    def say(self, line: str) -> None:
        """Print a line."""
        self.write(line + "\n")

    @property
    def namespace(self) -> str:
        """The namespace asked for, "" for all of them."""
        if self.args.on("all-namespaces"):
            return ""
        return self.args.text("namespace") or self.cluster.namespace

    def files(self) -> list[tuple[str, manifests.Object]]:
        """The objects of all ``-f`` flags, each with the name of its file as kubectl says it.

        :raises KubectlError: if there is no ``-f``.
        """
        names = self.args.many("filename")
        if not names:
            raise KubectlError("must specify one of -f and -k")
        return [(name, obj) for name in names for obj in self._read(name)]

    def _read(self, name: str) -> list[manifests.Object]:
        if name == "-":
            return manifests.parse(self.stdin, source="STDIN")
        return manifests.read(self.folder / name)
