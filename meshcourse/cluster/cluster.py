"""`Cluster`: one Kubernetes cluster, wherever it comes from. Nothing here knows which provider it has."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meshcourse.cluster import (
    applying,
    kinds,
    kubeconfig,
    manifests,
    podstate,
    portforward,
    reach,
    rest,
    tools,
    waiting,
)
from meshcourse.cluster.errors import ApiError, ClusterError
from meshcourse.cluster.manifests import Object, dig
from meshcourse.cluster.progress import Progress, auto
from meshcourse.cluster.provider import Capabilities, Provider


class Cluster:
    """One cluster. Connections are opened when first used.

    :param provider: where it comes from.
    :param progress: makes the progress display of one long call (default: wherever the caller looks).
    """

    def __init__(self, provider: Provider, progress: Callable[[], Progress] = auto) -> None:
        self.provider = provider
        self.new_progress = progress
        self._api: rest.Rest | None = None
        self._kinds: kinds.Kinds | None = None
        self._cache = Path(tempfile.gettempdir()) / f"meshcourse-kubectl-{uuid.uuid4().hex[:8]}"
        weakref.finalize(self, shutil.rmtree, self._cache, ignore_errors=True)
        self._forwards: dict[tuple[str, str, int], portforward.PortForward] = {}

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def capabilities(self) -> Capabilities:
        return self.provider.capabilities

    @property
    def kubeconfig(self) -> Path:
        """The file that ``kubectl --kubeconfig`` takes."""
        return self.provider.kubeconfig()

    @property
    def namespace(self) -> str:
        """The namespace that is meant when none is said."""
        return self.api.access.namespace

    @property
    def api(self) -> rest.Rest:
        """The course's own small client."""
        if self._api is None:
            self._api = rest.Rest(kubeconfig.read(self.kubeconfig))
        return self._api

    @property
    def client(self) -> Any:
        """An ``ApiClient`` of the official ``kubernetes`` package, for ``CoreV1Api(mesh.client)`` and the like."""
        from kubernetes import config

        return config.new_client_from_config(config_file=str(self.kubeconfig))

    def served(self, refresh: bool = False) -> kinds.Kinds:
        """What the cluster serves; discovered once, again with `refresh` (kubectl then forgets what it knew, too)."""
        if self._kinds is None or refresh:
            self._kinds = kinds.discover(self.api)
            shutil.rmtree(self._cache, ignore_errors=True)
        return self._kinds

    def kind(self, name: str) -> kinds.Kind:
        """The kind a person means by ``vs``, ``deploy``, …; looks again if it is new.

        :raises UnknownKindError: in kubectl's words.
        """
        try:
            return self.served().by_name(name)
        except kinds.UnknownKindError:
            return self.served(refresh=True).by_name(name)

    # -- objects ------------------------------------------------------------------------------------------------

    def get(self, what: str, name: str, namespace: str = "") -> Object:
        """One object: ``get("deploy", "reviews-v1")``.

        :raises ApiError: if it is not there.
        """
        found: Object = self.api.get(self._path(what, namespace, name))
        return found

    def objects(self, what: str, namespace: str = "", *, selector: str = "") -> list[Object]:
        """The objects of a kind in a namespace ("*": in all of them)."""
        kind = self.kind(what)
        where = "" if namespace == "*" else namespace or self.namespace
        items: list[Object] = self.api.get(
            kind.path(where if kind.namespaced else ""), labelSelector=selector
        )["items"]
        return items

    def exists(self, what: str, name: str, namespace: str = "") -> bool:
        """Is the object there? A kind that is not served has no objects."""
        try:
            self.get(what, name, namespace)
        except kinds.UnknownKindError:
            return False
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    def patch(self, what: str, name: str, patch: Object, namespace: str = "") -> Object:
        """Merge `patch` into an object (JSON merge patch: null removes a field)."""
        path = self._path(what, namespace, name)
        found: Object = self.api.request("PATCH", path, body=patch, content_type=rest.MERGE_PATCH)
        return found

    def apply(self, source: str | Path | list[Object], namespace: str = "") -> applying.Applied:
        """Server-side apply of YAML text, a file or folder, or objects; a row for each says what became of it."""
        return self._applier().apply(_read(source), namespace or self.namespace)

    def delete(self, source: str | Path | list[Object], namespace: str = "") -> applying.Applied:
        """Delete what a manifest describes; what is not there is fine."""
        return self._applier().delete(_read(source), namespace or self.namespace)

    def restart(self, deployment: str, namespace: str = "") -> None:
        """Roll a Deployment, as ``kubectl rollout restart`` does."""
        import datetime as dt

        stamp = {"kubectl.kubernetes.io/restartedAt": dt.datetime.now(dt.UTC).isoformat()}
        template = {"template": {"metadata": {"annotations": stamp}}}
        self.patch("deployments", deployment, {"spec": template}, namespace)

    # -- waiting ------------------------------------------------------------------------------------------------

    def wait(
        self,
        *names: str,
        namespace: str = "",
        selector: str = "",
        timeout: float = 0.0,
        progress: Progress | None = None,
    ) -> waiting.Seconds:
        """Wait until things are ready, showing what is still missing; returns the seconds.

        :param names: ``deployment/reviews-v1``, ``pod/x``, ``service/x`` …; without any: every Deployment and pod of
            the namespace (that matches `selector`).
        :param timeout: in seconds; 0 for what is fair on this cluster.
        :raises WaitError: after `timeout` seconds, with what was missing and the events that may explain it.
        """
        where = namespace or self.namespace
        shown = progress or self.new_progress()
        pace = waiting.Pace(timeout=timeout or self.capabilities.patience)
        conditions = [self._named(name, where) for name in names]
        title = ", ".join(names) or f"pods in {where}"

        def missing() -> list[str]:
            return [line for condition in conditions for line in condition()]

        if not conditions:
            conditions = [waiting.workloads(self.api, where, selector)]
        return waiting.until(
            f"{title} ready",
            missing,
            shown,
            pace=pace,
            explain=lambda: waiting.why(self.api, where, selector),
        )

    def _named(self, text: str, namespace: str) -> waiting.Condition:
        kind, _, name = text.partition("/")
        if not name:
            raise ClusterError(
                f'"{text}" names no object', remedy="Write kind and name: `deployment/reviews-v1`."
            )
        return waiting.named(self.api, self.kind(kind), namespace, name)

    # -- reaching services --------------------------------------------------------------------------------------

    def service(self, name: str, namespace: str = "") -> Object:
        """A Service by name; without a namespace, the default one's, otherwise the only one of that name.

        :raises ClusterError: if there is none, or several.
        """
        name, _, dotted = name.partition(".")
        wanted = namespace or dotted.split(".")[0]
        items = self.api.get(kinds.SERVICE.path(wanted), fieldSelector=f"metadata.name={name}")[
            "items"
        ]
        home = [item for item in items if manifests.namespace_of(item) == self.namespace]
        found = home or items
        if len(found) == 1:
            result: Object = found[0]
            return result
        if not found:
            raise ClusterError(
                f'there is no service "{name}"', remedy="`%kubectl get services -A` lists them."
            )
        where = ", ".join(manifests.namespace_of(item) for item in found)
        raise ClusterError(f'service "{name}" exists in {where}', remedy="Say which: namespace=….")

    def url(
        self, service: str, port: int | str | None = None, path: str = "", *, namespace: str = ""
    ) -> str:
        """A URL of a Service that this machine can open now.

        A load balancer's address or another that is directly reachable, otherwise a port-forward of this process.
        """
        found = self.service(service, namespace)
        chosen = reach.choose(found, port)
        host, number = self.provider.direct(found, chosen.number) or self._forward(found, chosen)
        return reach.url(chosen, host, number, path)

    def _forward(self, service: Object, port: reach.Port) -> tuple[str, int]:
        key = (manifests.namespace_of(service), manifests.name_of(service), port.number)
        if key not in self._forwards:
            self._forwards[key] = portforward.PortForward(
                self.api, lambda: self.pick(key[0], key[1], port)
            )
            atexit.register(self._forwards[key].close)
        return self._forwards[key].host, self._forwards[key].port

    def pick(self, namespace: str, service: str, port: reach.Port) -> portforward.Target:
        """A ready pod behind a Service, and the container port that the Service's port stands for.

        :raises ClusterError: if no pod is ready.
        """
        found = self.api.get(kinds.SERVICE.path(namespace, service))
        selector = ",".join(f"{k}={v}" for k, v in dig(found, "spec.selector", {}).items())
        pods = self.api.get(kinds.POD.path(namespace), labelSelector=selector)["items"]
        for pod in pods if selector else []:
            if podstate.is_ready(pod) and dig(pod, "status.phase") == "Running":
                return namespace, manifests.name_of(pod), container_port(pod, port.target)
        raise ClusterError(f"service {service} has no ready pod", remedy="`%kubectl get pods`.")

    # -- tools --------------------------------------------------------------------------------------------------

    def istioctl(self, *args: str, on_line: Callable[[str], None] | None = None) -> tools.Done:
        """Run istioctl against this cluster."""
        command = [*self.provider.istioctl(), *args]
        return tools.run(command, name="istioctl", env=self.environment(), on_line=on_line)

    def environment(self) -> dict[str, str]:
        """What a tool needs in its environment to speak to this cluster.

        kubectl keeps what a server serves for hours, by the server's address; here kinds come and go with Istio, so
        its memory lasts as long as this object.
        """
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self._cache)}

    def close(self) -> None:
        """Close connections and port-forwards. The cluster goes on."""
        shutil.rmtree(self._cache, ignore_errors=True)
        for forward in self._forwards.values():
            atexit.unregister(forward.close)
            forward.close()
        self._forwards.clear()
        if self._api is not None:
            self._api.close()
            self._api = None

    def _applier(self) -> applying.Applier:
        return applying.Applier(self.api, self.served)

    def _path(self, what: str, namespace: str, name: str = "") -> str:
        kind = self.kind(what)
        return kind.path((namespace or self.namespace) if kind.namespaced else "", name)


def container_port(pod: Object, target: int | str) -> int:
    """The number of a container port given by number or by name.

    :raises ClusterError: if no container has a port of that name.
    """
    if isinstance(target, int):
        return target
    for container in podstate.containers(pod):
        for port in container.get("ports") or []:
            if port.get("name") == target:
                return int(port["containerPort"])
    raise ClusterError(f'pod {manifests.name_of(pod)} has no port called "{target}"')


def _read(source: str | Path | list[Object]) -> list[Object]:
    if isinstance(source, list):
        return source
    return manifests.read(source) if isinstance(source, Path) else manifests.parse(source)
