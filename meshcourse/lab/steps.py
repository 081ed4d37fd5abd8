"""The steps of a start, a solution or a clean-up: manifests to apply, and commands a person would type.

A folder holds YAML files, applied in name order, and optionally ``steps.txt``: one command a line (``kubectl …`` or
``istioctl …``), run in the folder after the manifests; ``#`` starts a comment.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from meshcourse.cluster import manifests, tools
from meshcourse.cluster.cluster import Cluster
from meshcourse.errors import MeshcourseError

#: Runs ``kubectl`` with these arguments in this folder.
Kubectl = Callable[[Cluster, Sequence[str], Path], tools.Done]
STEPS = "steps.txt"


def perform(folder: Path, cluster: Cluster, kubectl: Kubectl, *, base: Path | None = None) -> None:
    """Apply the manifests and run the commands of a folder.

    :param base: where the commands look for files (default: the folder itself).
    :raises MeshcourseError: at the first that fails.
    """
    if manifest_files(folder):
        cluster.apply(folder).raise_on_error()
    for words in commands(folder / STEPS):
        command(words, base or folder, cluster, kubectl).check()


def undo(folder: Path, cluster: Cluster) -> None:
    """Delete what the manifests of a folder describe."""
    if manifest_files(folder):
        cluster.delete(folder).raise_on_error()


def command(words: Sequence[str], folder: Path, cluster: Cluster, kubectl: Kubectl) -> tools.Done:
    """Run one command.

    :raises MeshcourseError: if it is neither kubectl nor istioctl.
    """
    if words[0] == "kubectl":
        return kubectl(cluster, words[1:], folder)
    if words[0] == "istioctl":
        return cluster.istioctl(*words[1:])
    raise MeshcourseError(f"{folder}: steps are kubectl or istioctl commands, not {words[0]!r}")


def commands(path: Path) -> list[list[str]]:
    """The commands of a steps file, each as its words; none if there is no such file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def manifest_files(folder: Path) -> list[Path]:
    """The YAML files of a folder, in name order."""
    return sorted(file for file in folder.glob("*.yaml") if manifests.read(file))


def text(folder: Path) -> str:
    """The files of a folder as one would read them, manifests first."""
    files = [*manifest_files(folder), *folder.glob(STEPS)]
    return "\n".join(
        f"# {file.name}\n{file.read_text(encoding='utf-8').strip()}\n" for file in files
    )
