"""The container engine that kind uses: docker, podman or nerdctl, whichever answers.

Source: kind's runtime detection; ``KIND_EXPERIMENTAL_PROVIDER`` is kind's own variable and wins here, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.kind import commands

VARIABLE = "KIND_EXPERIMENTAL_PROVIDER"
KNOWN = ("docker", "podman", "nerdctl")
_INFO = {"podman": "json"}
_ANY = "{{json .}}"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answered.

    :param memory: MiB that it has in all, 0 if it does not say.
    :param machine: its processor, as ``uname -m`` says it, "" if it does not say.
    :param root: where it keeps images; on another machine (or in a virtual one) the folder is not here.
    """

    name: str
    program: str
    version: str = ""
    memory: int = 0
    machine: str = ""
    root: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What tells kind to use this one."""
        return {} if self.name == "docker" else {VARIABLE: self.name}

    def has_image(self, image: str) -> bool:
        return commands.run(self.program, "image", "inspect", image).code == 0

    def nodes(self, cluster: str) -> dict[str, bool]:
        """The containers of a kind cluster and whether each runs.

        By ``Status``, which all three engines print: ``Up 3 minutes``, ``Exited (137) 2 hours ago``, ``Created``.
        """
        done = commands.run(
            self.program, "ps", "-a",
            "--filter", f"label=io.x-k8s.kind.cluster={cluster}",
            "--format", "{{.Names}} {{.Status}}",
        ).check("listing the cluster's containers")  # fmt: skip
        rows = (line.strip().partition(" ") for line in done.out.splitlines() if line.strip())
        return {name: status.startswith("Up") for name, _, status in rows}


def find() -> Engine:
    """The engine to use.

    :raises ClusterError: if there is none, or none answers; then with what each of them says.
    """
    chosen = os.environ.get(VARIABLE, "")
    present = [name for name in ((chosen,) if chosen else KNOWN) if shutil.which(name)]
    if not present:
        raise ClusterError(
            f"there is no container engine: {' or '.join((chosen,) if chosen else KNOWN)} is not on PATH",
            remedy="Install one (https://docs.docker.com/get-started/get-docker/, or podman), "
            "or use the embedded cluster, which needs none: `meshcourse up --cluster embedded`.",
        )
    errors = []
    for name in present:
        try:
            return ask(name)
        except ClusterError as error:
            errors.append(error)
    raise errors[0]


def ask(name: str) -> Engine:
    """What an engine says of itself.

    :raises ClusterError: if it does not answer.
    """
    program = shutil.which(name) or name
    done = commands.run(program, "info", "--format", _INFO.get(name, _ANY), timeout=30.0)
    found = _parsed(done.out)
    if problems := found.get("ServerErrors"):
        done = commands.Done(done.command, done.code or 1, "", "\n".join(map(str, problems)))
    done.check(f"asking {name}")
    return _podman(program, found) if name == "podman" else _docker(name, program, found)


def _parsed(text: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    return {}


def _docker(name: str, program: str, found: dict[str, Any]) -> Engine:
    return Engine(
        name,
        program,
        str(found.get("ServerVersion", "")),
        int(found.get("MemTotal") or 0) // 2**20,
        str(found.get("Architecture", "")),
        str(found.get("DockerRootDir", "")),
    )


def _podman(program: str, found: dict[str, Any]) -> Engine:
    host, store = found.get("host") or {}, found.get("store") or {}
    return Engine(
        "podman",
        program,
        str((found.get("version") or {}).get("Version", "")),
        int(host.get("memTotal") or 0) // 2**20,
        str(host.get("arch", "")),
        str(store.get("graphRoot", "")),
    )


def local(engine: Engine) -> bool:
    """Does it keep its images on a disk of this machine?"""
    return bool(engine.root) and Path(engine.root).exists()
