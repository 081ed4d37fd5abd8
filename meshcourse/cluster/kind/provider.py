"""The provider of a kind cluster: create, resume, remove."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from meshcourse import paths
from meshcourse.cluster import kinds, kubeconfig, preflight, release, rest, waiting
from meshcourse.cluster.context import minimal
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.kind import commands, configuration, engines, fitness
from meshcourse.cluster.manifests import Object, dig
from meshcourse.cluster.progress import Progress
from meshcourse.cluster.provider import Capabilities, Part
from meshcourse.errors import MeshcourseError

DEFAULT_NAME = "meshcourse"
PARTS = (
    Part("Kubernetes", True, "kind's: the real API server, controllers and kubelet in a container"),
    Part("Istio, Envoy", True, "of the version taught, installed by its own istioctl"),
    Part("Bookinfo, add-ons", True, "the published images"),
    Part("nodes", False, "one container in place of machines"),
    Part("load balancer", False, "node ports, mapped to ports of this machine"),
)
#: Seconds for images to arrive, and for what was just created to get ready.
_PULL, _CREATE, _READY = 1800.0, 900.0, 300.0
_SYSTEM = "kube-system"


class Kind:
    """The kind cluster called `name`."""

    def __init__(self, name: str = "") -> None:
        self.name = name or DEFAULT_NAME
        self.capabilities = Capabilities(
            "kind", owned=True, direct=False, parts=PARTS, patience=600.0
        )
        self._first: int | None = None

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self, progress: Progress) -> None:
        """Create it, start what was stopped, or finish what was interrupted; returns when every system pod is ready.

        :raises ClusterError: if the machine is not fit, or a tool fails; with the remedy.
        """
        if self.running():
            self._await(progress)
            return
        fitness.demand(fitness.examine(ports=False))
        engine = engines.find()
        nodes = engine.nodes(self.name)
        if nodes and not self._config.exists():
            raise ClusterError(
                f'there is a kind cluster called "{self.name}" that this course did not make',
                remedy="Choose another name (MESHCOURSE_NAME=other), or remove it: "
                f"`kind delete cluster --name {self.name}`.",
            )
        if nodes and not self._made.exists():
            progress.say(f'"{self.name}" was interrupted while it was made; it is made anew')
            self._delete(engine)
            nodes = {}
        if nodes:
            self._resume(engine, nodes, progress)
        else:
            self._create(engine, progress)
        self._await(progress)

    def stop(self, progress: Progress, *, delete: bool = False) -> None:
        """Remove it, with everything in it: containers that are only stopped would still hold ports and disk."""
        del delete
        with progress.stage(f'cluster "{self.name}" removed'):
            engine = engines.find()
            if engine.nodes(self.name):
                self._delete(engine)
            shutil.rmtree(self._folder, ignore_errors=True)

    def running(self) -> bool:
        """Does its API server answer?"""
        if not self._kubeconfig.exists():
            return False
        try:
            with self._api() as api:
                api.get("/version")
        except MeshcourseError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": self.name,
            "kubeconfig": str(self._kubeconfig),
            "running": self.running(),
        }
        if found["running"]:
            with self._api() as api:
                found |= {
                    "url": api.access.server,
                    "version": str(api.get("/version").get("gitVersion", "?")),
                    "image": configuration.image_of(self._config.read_text(encoding="utf-8")),
                    "ports": [self.first, self.first + configuration.COUNT - 1],
                }
        return found

    # -- what others ask ----------------------------------------------------------------------------------------------

    def preflight(self) -> list[preflight.Finding]:
        """For ``meshcourse doctor --cluster kind``."""
        return fitness.examine(ports=not self.running())

    def kubeconfig(self) -> Path:
        return self._kubeconfig

    def consent(self, purpose: str) -> None:
        """The cluster is the course's own."""

    def istioctl(self) -> list[str]:
        from meshcourse.cluster import progress

        return [str(release.find(progress.auto(), release.wanted()))]

    def direct(self, service: Object, port: int) -> tuple[str, int] | None:
        """By the node port's mapping, None for Services that have none."""
        return configuration.mapped(service, port, self.first)

    @property
    def first(self) -> int:
        """The first mapped port: as the cluster was made, whatever the variable says now."""
        if self._first is None:
            made = self._config.exists()
            self._first = (
                configuration.first_of(self._config.read_text(encoding="utf-8"))
                if made
                else configuration.base()
            )
        return self._first

    # -- steps ------------------------------------------------------------------------------------------------------

    def _create(self, engine: engines.Engine, progress: Progress) -> None:
        image, first = configuration.image(), configuration.base()
        fitness.demand([fitness.ports_free(first)])
        self._pull(engine, image, progress)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._config.write_text(configuration.render(image, first), encoding="utf-8")
        self._first = None
        # A file of its own: the user's kubeconfig is not touched.
        scratch = self._folder / "kubeconfig.kind"
        with progress.stage(f'kind cluster "{self.name}"'):
            self._kind(
                engine, "create", "cluster", "--name", self.name, "--config", str(self._config),
                "--kubeconfig", str(scratch),
                doing="creating the cluster", timeout=_CREATE, progress=progress,
            )  # fmt: skip
        scratch.unlink(missing_ok=True)
        self._made.touch()
        self._export(engine)

    def _pull(self, engine: engines.Engine, image: str, progress: Progress) -> None:
        """Before kind does it, so that it is seen, and a failure of it is told from others."""
        if engine.has_image(image):
            return
        with progress.stage(f"node image {image.partition('@')[0]}"):
            commands.run(engine.program, "pull", image, timeout=_PULL, on_line=progress.note).check(
                f"pulling {image.partition('@')[0]}"
            )

    def _resume(self, engine: engines.Engine, nodes: dict[str, bool], progress: Progress) -> None:
        stopped = [node for node, runs in nodes.items() if not runs]
        if stopped:
            with progress.stage(f"{', '.join(stopped)} started"):
                commands.run(engine.program, "start", *stopped, timeout=120.0).check(
                    "starting the node"
                )
        self._export(engine)

    def _export(self, engine: engines.Engine) -> None:
        """The kubeconfig, 0600; the port of the API server is another one after each start of the node."""
        done = self._kind(
            engine, "get", "kubeconfig", "--name", self.name, doing="reading the kubeconfig"
        )
        minimal.write(yaml.safe_load(done.out), self._kubeconfig)

    def _await(self, progress: Progress) -> None:
        """Until the node is ready and every pod of the system; if nothing moves, which pod and why."""
        with self._api() as api:
            pace = waiting.Pace(timeout=_READY)
            waiting.until("API server answers", lambda: _silent(api), progress, pace=pace)
            _same_version(api, configuration.image_of(self._config.read_text(encoding="utf-8")))
            waiting.until(
                "Kubernetes ready",
                lambda: [*_nodes(api), *waiting.workloads(api, _SYSTEM, "")()],
                progress,
                pace=pace,
                explain=lambda: waiting.why(api, _SYSTEM),
            )

    def _delete(self, engine: engines.Engine) -> None:
        scratch = self._folder / "kubeconfig.kind"
        self._kind(
            engine, "delete", "cluster", "--name", self.name, "--kubeconfig", str(scratch),
            doing="removing the cluster", timeout=120.0,
        )  # fmt: skip
        for path in (self._made, self._kubeconfig):
            path.unlink(missing_ok=True)

    def _kind(
        self,
        engine: engines.Engine,
        *arguments: str,
        doing: str,
        timeout: float = 60.0,
        progress: Progress | None = None,
    ) -> commands.Done:
        return commands.run(
            shutil.which("kind") or "kind",
            *arguments,
            env=engine.environment,
            timeout=timeout,
            on_line=progress.note if progress else None,
        ).check(doing)

    # -- files ------------------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        return paths.state() / "kind" / self.name

    @property
    def _config(self) -> Path:
        """Written before the cluster is begun."""
        return self._folder / "config.yaml"

    @property
    def _made(self) -> Path:
        """There when it was made to the end."""
        return self._folder / "made"

    @property
    def _kubeconfig(self) -> Path:
        return self._folder / "kubeconfig"

    @contextlib.contextmanager
    def _api(self) -> Iterator[rest.Rest]:
        api = rest.Rest(kubeconfig.read(self._kubeconfig))
        try:
            yield api
        finally:
            api.close()


def names() -> list[str]:
    """The kind clusters of the course that have state on this machine."""
    return sorted(path.name for path in (paths.state() / "kind").glob("*"))


def _silent(api: rest.Rest) -> list[str]:
    try:
        api.get("/version")
    except MeshcourseError as error:
        return [error.message]
    return []


def _nodes(api: rest.Rest) -> list[str]:
    """Nodes that are not ready, and why the kubelet says so."""
    late = []
    for node in api.get(kinds.NODE.path())["items"]:
        ready: Object = next(
            (item for item in dig(node, "status.conditions", []) if item["type"] == "Ready"), {}
        )
        if ready.get("status") != "True":
            late.append(f"node {dig(node, 'metadata.name')}: {ready.get('message', 'not ready')}")
    return late


def _same_version(api: rest.Rest, image: str) -> None:
    """The image's tag says which Kubernetes is in it.

    :raises ClusterError: if another one answers: the image is not what its name says.
    """
    wanted = re.search(r":(v\d+\.\d+\.\d+)", image)
    found = str(api.get("/version").get("gitVersion", ""))
    if wanted and found != wanted.group(1):
        raise ClusterError(
            f"the cluster is Kubernetes {found}, but its image {image.partition('@')[0]} says {wanted.group(1)}",
            remedy=f"Is {commands.IMAGE_VARIABLE} ({os.environ.get(commands.IMAGE_VARIABLE) or 'not set'}) right? "
            "Then: `meshcourse down --cluster kind`, and up again.",
        )
