"""Everything that goes into a report. What cannot be had is written down as an error beside the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import yaml

from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.istioctl import exec
from meshcourse.embedded.istioctl.analyze import catalogue
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.commands.analyze import live
from meshcourse.embedded.istioctl.context import Context
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.errors import MeshcourseError

_AT_ONCE: Final = 4
_PROXY: Final = "istio-proxy"
_RESOURCES: Final = (
    refs.NAMESPACES,
    refs.NODES,
    refs.PODS,
    refs.SERVICES,
    refs.ENDPOINTSLICES,
    refs.CONFIGMAPS,
    refs.DEPLOYMENTS,
    refs.REPLICASETS,
    refs.STATEFULSETS,
    refs.DAEMONSETS,
    refs.JOBS,
    refs.MUTATING_WEBHOOKS,
    refs.VALIDATING_WEBHOOKS,
    refs.CRDS,
)
_CUSTOM: Final = tuple(
    one
    for one in live.RESOURCES.values()
    if one.group.endswith(("istio.io", "gateway.networking.k8s.io"))
)
_PROXY_PAGES: Final = {
    "config_dump?include_eds": "config_dump.json",
    "clusters": "clusters",
    "listeners": "listeners",
    "certs": "certs.json",
    "server_info": "server_info.json",
    "stats/prometheus": "stats_prometheus",
    "runtime": "runtime",
    "memory": "memory",
}
_ISTIOD_PAGES: Final = ("syncz", "adsz", "configz", "endpointz", "registryz")
Files = dict[str, bytes]


class Report:
    """A report under way.

    :param full_secrets: with the contents of Secrets, not only their names.
    """

    def __init__(self, ctx: Context, client: HttpClient, *, full_secrets: bool) -> None:
        self._ctx, self._client, self._full = ctx, client, full_secrets
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self.files: Files = {}
        self.errors: list[str] = []

    async def gather(self, chosen: Sequence[Object]) -> None:
        """Read the cluster, the control plane, and the proxies of `chosen` pods."""
        await asyncio.gather(
            self._put("cluster/k8s-resources.yaml", lambda: self._dump(_RESOURCES)),
            self._put("cluster/crs.yaml", lambda: self._dump(_CUSTOM)),
            self._put("cluster/secrets.yaml", self._secrets),
            self._put("cluster/events.yaml", lambda: self._dump((refs.EVENTS,))),
            self._put("cluster/cluster-info.json", lambda: self._client.raw("/version")),
            self._put("analyze.log", self._analysis),
            *(self._pod(pod) for pod in chosen),
        )

    async def _put(self, path: str, read: Callable[[], Awaitable[bytes]]) -> None:
        """Keep what `read` yields under `path`, or its failure."""
        async with self._turn:
            try:
                self.files[path] = await read()
            except (MeshcourseError, OSError, ValueError) as error:
                self.errors.append(f"{path}: {error}")

    async def _pod(self, pod: Object) -> None:
        name, namespace = objects.name(pod), objects.namespace(pod)
        spec = pod.get("spec") or {}
        found = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        names = [str(one["name"]) for one in found]
        control = objects.labels(pod).get("app") == "istiod"
        root = f"istiod/{namespace}/{name}" if control else f"proxies/{namespace}/{name}"
        work = [
            self._put(f"{root}/{one}.log", self._log(namespace, name, one))
            for one in names
            if one == _PROXY or control
        ]
        if _PROXY in names:
            work += [
                self._put(f"{root}/{file}", self._admin(namespace, name, page))
                for page, file in _PROXY_PAGES.items()
            ]
        if control:
            work += [
                self._put(f"{root}/debug/{page}.json", self._debug(namespace, name, page))
                for page in _ISTIOD_PAGES
            ]
        await asyncio.gather(*work)

    def _log(self, namespace: str, pod: str, container: str) -> Callable[[], Awaitable[bytes]]:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}"
        return lambda: self._client.raw(path)

    def _admin(self, namespace: str, pod: str, page: str) -> Callable[[], Awaitable[bytes]]:
        command = ["pilot-agent", "request", "GET", page]
        return lambda: exec.run(self._ctx, namespace, pod, _PROXY, command)

    def _debug(self, namespace: str, pod: str, page: str) -> Callable[[], Awaitable[bytes]]:
        command = ["pilot-discovery", "request", "GET", f"/debug/{page}"]
        return lambda: exec.run(self._ctx, namespace, pod, "discovery", command)

    async def _dump(self, resources: Sequence[Resource]) -> bytes:
        return _yaml([obj for one in resources for obj in await self._all(one)])

    async def _all(self, resource: Resource) -> list[Object]:
        """Every object of a kind, with the kind, which lists leave out; none if the kind is unknown."""
        try:
            found = (await self._client.list(resource)).items
        except MeshcourseError as error:
            if getattr(error, "code", 0) == 404:
                return []
            raise
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**head, **one} for one in found]

    async def _secrets(self) -> bytes:
        found = await self._all(refs.SECRETS)
        return _yaml(found if self._full else [redacted(one) for one in found])

    async def _analysis(self) -> bytes:
        kinds = catalogue.inputs()
        cluster = await live.read(self._client, kinds, self._ctx.istio_namespace)
        result = catalogue.analyze(Collection(cluster.items, cluster.mesh))
        return "".join(f"{one.render()}\n" for one in result.messages).encode()


def redacted(secret: Object) -> Object:
    """A Secret without its contents, wherever they may stand."""
    meta = dict(secret.get("metadata") or {})
    notes = dict(meta.get("annotations") or {})
    notes.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    if notes or "annotations" in meta:
        meta["annotations"] = notes
    hidden = {
        field: dict.fromkeys(secret[field], "redacted")
        for field in ("data", "stringData")
        if secret.get(field)
    }
    return {**secret, "metadata": meta, **hidden}


def _yaml(found: Sequence[Any]) -> bytes:
    text = yaml.dump_all(found, Dumper=yaml.CSafeDumper, sort_keys=False)
    return str(text).encode()
