"""The provider of somebody else's cluster."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meshcourse import paths
from meshcourse.cluster import kubeconfig, reach, release, rest
from meshcourse.cluster.context import consent, minimal, rights, survey
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.manifests import Object
from meshcourse.cluster.progress import Progress
from meshcourse.cluster.provider import Capabilities, Part
from meshcourse.errors import MeshcourseError

PARTS = (
    Part("everything", True, "whatever this cluster runs: its own Kubernetes, its own Istio"),
    Part("Services", True, "by their load balancer's address if it answers, else by port-forward"),
)
#: How long a load balancer's address may take to answer, in seconds.
_PATIENCE = 2.0
#: After so many seconds an address that did not answer is tried again.
_FORGET = 60.0


class Context:
    """A context of the user's kubeconfig.

    :param context: its name, "" for the current one.
    :param prefix: the learner's namespaces begin with it ("" if the cluster is the learner's alone).
    """

    def __init__(self, context: str = "", prefix: str = "") -> None:
        self._config = minimal.extract(context)
        self.name = str(self._config["current-context"])
        self.prefix = prefix
        self.capabilities = Capabilities(
            "context", owned=False, direct=False, parts=PARTS, patience=600.0
        )
        self._consented: set[str] = set()
        self._reachable: set[tuple[str, int]] = set()
        self._unreachable: dict[tuple[str, int], float] = {}
        self._written: Path | None = None
        if prefix:
            entry = self._config["contexts"][0]
            inner = {**entry["context"], "namespace": self.home}
            self._config["contexts"] = [{**entry, "context": inner}]

    @property
    def home(self) -> str:
        """The namespace that is meant when none is said."""
        if self.prefix:
            return f"{self.prefix}-course"
        return str(self._config["contexts"][0]["context"].get("namespace") or "default")

    def start(self, progress: Progress) -> None:
        """Attach: nothing is created. Says what is there and what this account may not do.

        :raises ClusterError: if the cluster does not answer, or a right is missing that every notebook needs.
        """
        with progress.stage(f'context "{self.name}"'):
            with self._api() as api:
                found = survey.take(api)
                rights.demand(api, rights.learner(self.home), "the course")
        for remark in found.remarks():
            progress.say(remark)

    def stop(self, progress: Progress, *, delete: bool = False) -> None:
        """Forget the copy of the kubeconfig. The cluster is not ours, and goes on.

        :raises ClusterError: if it was to be deleted.
        """
        if delete:
            raise ClusterError(
                f'"{self.name}" was not made by the course, and is not deleted by it',
                remedy="Take the course's parts away in a notebook: `mesh.remove(…)`; or without --delete "
                "this only detaches.",
            )
        self._file().unlink(missing_ok=True)
        progress.say(f'detached from "{self.name}"; the cluster goes on')

    def running(self) -> bool:
        try:
            with self._api() as api:
                api.get("/version")
        except MeshcourseError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": self.name,
            "kubeconfig": str(self.kubeconfig()),
            "running": self.running(),
        }
        if found["running"]:
            with self._api() as api:
                seen, url = survey.take(api), api.access.server
            found |= {
                "url": url,
                "version": seen.kubernetes,
                "openshift": seen.openshift,
                "istio": [{"revision": i.revision, "version": i.version} for i in seen.istio],
                "addons": list(seen.addons),
                "namespace": self.home,
            }
        return found

    def kubeconfig(self) -> Path:
        """The course's own copy of the context, 0600."""
        if self._written is None or not self._written.exists():
            self._written = minimal.write(self._config, self._file())
        return self._written

    def consent(self, purpose: str) -> None:
        """Asked of a person where one sits at a terminal, otherwise of ``$MESHCOURSE_INSTALL``."""
        if purpose in self._consented:
            return
        with self._api() as api:
            rights.demand(api, rights.installer(), purpose)
        if not consent.given(f'{purpose} on "{self.name}"'):
            raise ClusterError(
                f'{purpose} on "{self.name}", which is not the course\'s cluster, needs your consent',
                remedy=f"Say yes with `meshcourse up --cluster context --yes`, or {consent.VARIABLE}=yes "
                "in the environment; or have it done by whoever runs the cluster.",
            )
        self._consented.add(purpose)

    def istioctl(self) -> list[str]:
        from meshcourse.cluster import progress

        return [str(release.find(progress.auto(), release.wanted()))]

    def direct(self, service: Object, port: int) -> tuple[str, int] | None:
        """A load balancer's address, if it answers from here."""
        host = reach.load_balancer(service)
        if not host:
            return None
        target = host, port
        if time.monotonic() < self._unreachable.get(target, 0.0):
            return None
        if target not in self._reachable and not _answers(target):
            self._unreachable[target] = time.monotonic() + _FORGET
            return None
        self._reachable.add(target)
        return target

    def _file(self) -> Path:
        digest = hashlib.sha256(f"{self.name} {self.prefix}".encode()).hexdigest()[:8]
        plain = "".join(c if c.isalnum() or c in "-." else "_" for c in self.name)
        return paths.state() / "contexts" / f"{plain}-{digest}"

    @contextlib.contextmanager
    def _api(self) -> Iterator[rest.Rest]:
        api = rest.Rest(kubeconfig.read(self.kubeconfig()))
        try:
            yield api
        finally:
            api.close()


def _answers(target: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(target, timeout=_PATIENCE):
            return True
    except OSError:
        return False
