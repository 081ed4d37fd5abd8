"""The images that this node can run: those of the engine's rooms and the learner's own.

An image is a Python function (``module:function``) or a command. A reference matches an entry if its repository
ends in the entry's path, by whole components; registry, tag and digest are free, so upstream manifests run
unchanged. Grammar of references: the OCI distribution reference specification. The learner's entries live in a
JSON file that ``meshcourse image add`` writes and this module reads again whenever it changed. Standard library
only: the launcher imports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshcourse.errors import MeshcourseError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[a-fA-F0-9]{32,}))?"
)


class InvalidImageName(MeshcourseError):
    """A reference that no container runtime could parse."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed image reference."""

    repository: str
    tag: str
    digest: str

    @property
    def latest(self) -> bool:
        """Whether the default pull policy is Always."""
        return not self.digest and self.tag == "latest"

    @property
    def canonical(self) -> str:
        """As a container runtime reports it: with registry and tag."""
        first = self.repository.partition("/")[0]
        has_domain = "/" in self.repository and (
            "." in first or ":" in first or first == "localhost"
        )
        path = self.repository if "/" in self.repository else f"library/{self.repository}"
        name = self.repository if has_domain else f"docker.io/{path}"
        return f"{name}@{self.digest}" if self.digest else f"{name}:{self.tag}"


def parse(reference: str) -> Reference:
    """Parse; the tag defaults to ``latest`` unless there is a digest.

    :raises InvalidImageName: in containerd's words.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidImageName(
            f'couldn\'t parse image name "{reference}": invalid reference format'
        )
    domain, path = match["domain"], match["path"]
    repository = f"{domain}/{path}" if domain else path
    tag = match["tag"] or ("" if match["digest"] else "latest")
    return Reference(repository, tag, match["digest"] or "")


@dataclass(frozen=True, slots=True)
class Image:
    """What stands behind a reference.

    :param path: the entry's path in the catalogue.
    :param entry: ``module:function``, or "" for a command.
    :param command: the learner's program and its arguments.
    """

    path: str
    entry: str = ""
    command: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A stable stand-in for the digest of an image that was never downloaded."""
        content = json.dumps([self.path, self.entry, self.command])
        return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


class Catalogue:
    """Look up images and programs.

    :param images: image path suffix → ``module:function``.
    :param programs: programs that every container has in it (``curl``, ``pilot-agent`` …), name →
        ``module:function``; exec forks them instead of starting Python anew.
    :param file: the learner's own images.
    """

    def __init__(
        self,
        images: Mapping[str, str],
        file: Path,
        programs: Mapping[str, str] | None = None,
    ) -> None:
        self.programs = dict(programs or {})
        self._builtin = {path: Image(path, entry=entry) for path, entry in images.items()}
        self._file = file
        self._own: dict[str, Image] = {}
        self._stamp: tuple[int, int] | None = None

    def find(self, reference: Reference) -> Image | None:
        """The entry with the longest matching path; the learner's own before a built-in one."""
        self._refresh()
        words = reference.repository.split("/")
        for start in range(len(words)):
            suffix = "/".join(words[start:])
            found = self._own.get(suffix) or self._builtin.get(suffix)
            if found is not None:
                return found
        return None

    def paths(self) -> list[str]:
        """Every path in the catalogue, sorted."""
        self._refresh()
        return sorted({*self._builtin, *self._own})

    def modules(self) -> list[str]:
        """The modules behind the built-in images, for preloading."""
        entries = [image.entry for image in self._builtin.values()]
        return list(dict.fromkeys(entry.partition(":")[0] for entry in entries))

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever the learner's list does."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_ino

    def _refresh(self) -> None:
        stamp = self.stamp
        if stamp is None:
            self._own, self._stamp = {}, None
        elif stamp != self._stamp:
            self._own = {
                path: Image(path, command=tuple(command))
                for path, command in own(self._file).items()
            }
            self._stamp = stamp


def own(file: Path) -> dict[str, list[str]]:
    """The learner's images: path → command.

    :raises MeshcourseError: if the file is damaged.
    """
    try:
        found: dict[str, list[str]] = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise MeshcourseError(
            f"the list of your own images is damaged: {file}",
            remedy="delete it and add the images again with: meshcourse image add NAME -- COMMAND",
        ) from error
    return found


def add(file: Path, name: str, command: Sequence[str]) -> str:
    """Make `command` an image called `name` and return its path in the catalogue. Written atomically.

    :raises InvalidImageName: if `name` could not stand in a Pod.
    :raises MeshcourseError: if the command is empty.
    """
    path = parse(name).repository
    if not command or not command[0]:
        raise MeshcourseError(
            f'the image "{name}" needs a command',
            remedy="write the program after two dashes: meshcourse image add NAME -- python app.py",
        )
    _write(file, {**own(file), path: list(command)})
    return path


def remove(file: Path, name: str) -> bool:
    """Forget one of the learner's images; whether it was there."""
    images = own(file)
    if images.pop(parse(name).repository, None) is None:
        return False
    _write(file, images)
    return True


def _write(file: Path, images: Mapping[str, Sequence[str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(images, indent=1, sort_keys=True) + "\n")
    temporary.replace(file)
