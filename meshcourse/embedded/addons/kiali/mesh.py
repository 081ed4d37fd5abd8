"""What the cluster holds, as Kiali sees it: namespaces, workloads, services, Istio objects. Pure.

Source: Kiali's workload, service and app lists; an app is what carries one ``app`` label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import yaml

from meshcourse.embedded.kube import objects, refs, selectors
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

#: Kiali's name for the only cluster (Istio's default cluster ID).
CLUSTER: Final = "Kubernetes"
ROOT: Final = "istio-system"
_APP: Final = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
_VERSION: Final = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
#: Kinds of workloads with replicas, in Kiali's order of preference.
CONTROLLERS: Final = (refs.DEPLOYMENTS, refs.STATEFULSETS, refs.DAEMONSETS)
#: Kinds whose objects `validations` and the configuration list show.
CONFIG: Final = (
    refs.VIRTUALSERVICES,
    refs.DESTINATIONRULES,
    refs.GATEWAYS,
    refs.SERVICEENTRIES,
    refs.SIDECARS,
    refs.WORKLOADENTRIES,
    refs.WORKLOADGROUPS,
    refs.ENVOYFILTERS,
    refs.PEERAUTHENTICATIONS,
    refs.REQUESTAUTHENTICATIONS,
    refs.AUTHORIZATIONPOLICIES,
    refs.TELEMETRIES,
    refs.WASMPLUGINS,
    refs.K8S_GATEWAYS,
    refs.HTTPROUTES,
    refs.GRPCROUTES,
    refs.REFERENCEGRANTS,
)
CORE: Final = (
    refs.NAMESPACES,
    refs.SERVICES,
    refs.PODS,
    refs.SERVICEACCOUNTS,
    refs.CONFIGMAPS,
    *CONTROLLERS,
)


def app_of(labels: Mapping[str, str]) -> str:
    return next((labels[name] for name in _APP if labels.get(name)), "")


def version_of(labels: Mapping[str, str]) -> str:
    return next((labels[name] for name in _VERSION if labels.get(name)), "")


@dataclass(frozen=True, slots=True)
class Workload:
    """A controller with its pods. Replica counts: wanted, existing, available; −1 proxies if it has none."""

    name: str
    namespace: str
    resource: Resource
    labels: Mapping[str, str]
    desired: int
    current: int
    available: int
    sidecar: bool
    pods: int
    created: str = ""
    version: str = ""

    @property
    def app(self) -> str:
        return app_of(self.labels)

    @property
    def gateway(self) -> bool:
        component = self.labels.get("operator.istio.io/component", "")
        return (
            component.endswith("Gateways")
            or "gateway.networking.k8s.io/gateway-name" in self.labels
        )

    def status(self) -> dict[str, object]:
        """Kiali's WorkloadStatus."""
        return {
            "name": self.name,
            "desiredReplicas": self.desired,
            "currentReplicas": self.current,
            "availableReplicas": self.available,
            "syncedProxies": self.available if self.sidecar and not self.gateway else -1,
        }


@dataclass(frozen=True)
class Mesh:
    """Everything that was listed, by kind. Objects are shared: never change them."""

    listed: Mapping[Resource, list[Object]] = field(default_factory=dict)

    def all(self, resource: Resource) -> list[Object]:
        return self.listed.get(resource, [])

    def within(self, resource: Resource, namespace: str) -> list[Object]:
        return [obj for obj in self.all(resource) if objects.namespace(obj) == namespace]

    @cached_property
    def namespaces(self) -> dict[str, Object]:
        return {objects.name(obj): obj for obj in self.all(refs.NAMESPACES)}

    @cached_property
    def _config(self) -> Object:
        """Istio's MeshConfig, from the ConfigMap ``istio``."""
        for one in self.within(refs.CONFIGMAPS, ROOT):
            if objects.name(one) == "istio":
                loaded = yaml.safe_load(objects.dig(one, "data.mesh", "")) or {}
                return loaded if isinstance(loaded, dict) else {}
        return {}

    @property
    def auto_mtls(self) -> bool:
        """Whether proxies choose mutual TLS by themselves."""
        return bool(objects.dig(self._config, "enableAutoMtls", True))

    @property
    def allows_any(self) -> bool:
        """Whether hosts that nobody registered may be called."""
        return (
            str(objects.dig(self._config, "outboundTrafficPolicy.mode", "ALLOW_ANY")) == "ALLOW_ANY"
        )

    @property
    def trust_domain(self) -> str:
        return str(objects.dig(self._config, "trustDomain", "cluster.local"))

    @cached_property
    def services(self) -> dict[tuple[str, str], Object]:
        """By namespace and name."""
        return {(objects.namespace(one), objects.name(one)): one for one in self.all(refs.SERVICES)}

    @cached_property
    def workloads(self) -> dict[tuple[str, str], Workload]:
        """By namespace and name."""
        found: dict[tuple[str, str], Workload] = {}
        for resource in CONTROLLERS:
            for obj in self.all(resource):
                found.setdefault(
                    (objects.namespace(obj), objects.name(obj)), self._workload(resource, obj)
                )
        for pod in self.all(refs.PODS):
            if objects.owner(pod) is None:
                found.setdefault(
                    (objects.namespace(pod), objects.name(pod)), self._workload(refs.PODS, pod)
                )
        return found

    def _workload(self, resource: Resource, obj: Object) -> Workload:
        bare = resource is refs.PODS
        labels = (
            objects.labels(obj) if bare else objects.dig(obj, "spec.template.metadata.labels", {})
        )
        namespace = objects.namespace(obj)
        if bare:
            pods = [obj]
        else:
            chosen = selectors.from_object(objects.dig(obj, "spec.selector"))
            pods = self.pods(namespace, chosen.matches)
        desired, current, available = _replicas(resource, obj)
        return Workload(
            name=objects.name(obj),
            namespace=namespace,
            resource=resource,
            labels=labels,
            desired=desired,
            current=current,
            available=available,
            sidecar=any(map(has_proxy, pods)),
            pods=len(pods),
            created=str(objects.dig(obj, "metadata.creationTimestamp", "")),
            version=str(objects.dig(obj, "metadata.resourceVersion", "")),
        )

    def pods(self, namespace: str, chosen: Callable[[Mapping[str, str]], bool]) -> list[Object]:
        """Pods of a namespace whose labels are `chosen`."""
        return [pod for pod in self._pods.get(namespace, ()) if chosen(objects.labels(pod))]

    @cached_property
    def _pods(self) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for pod in self.all(refs.PODS):
            found.setdefault(objects.namespace(pod), []).append(pod)
        return found

    def workloads_of(self, namespace: str) -> list[Workload]:
        return [one for one in self.workloads.values() if one.namespace == namespace]

    def selected(self, namespace: str, labels: Mapping[str, str]) -> list[Workload]:
        """Workloads of a namespace ("" for all) that carry all `labels`."""
        return [
            one
            for one in self.workloads.values()
            if namespace in ("", one.namespace) and carries(one.labels, labels)
        ]

    def apps_of(self, namespace: str) -> dict[str, list[Workload]]:
        found: dict[str, list[Workload]] = {}
        for one in self.workloads_of(namespace):
            if one.app:
                found.setdefault(one.app, []).append(one)
        return found


def carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


def has_proxy(pod: Object) -> bool:
    """Whether a pod runs Istio's proxy (also as a native sidecar, an init container)."""
    spec = pod.get("spec") or {}
    containers: Iterable[Object] = [
        *(spec.get("containers") or ()),
        *(spec.get("initContainers") or ()),
    ]
    return any(one.get("name") == "istio-proxy" for one in containers)


def _replicas(resource: Resource, obj: Object) -> tuple[int, int, int]:
    """Wanted, existing and available."""
    found = obj.get("status") or {}
    if resource is refs.PODS:
        conditions = found.get("conditions") or ()
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        return 1, 1, int(ready)
    if resource is refs.DAEMONSETS:
        names = ("desiredNumberScheduled", "currentNumberScheduled", "numberAvailable")
        desired, current, available = (int(found.get(name) or 0) for name in names)
        return desired, current, available
    ready_name = "readyReplicas" if resource is refs.STATEFULSETS else "availableReplicas"
    wanted = objects.dig(obj, "spec.replicas", 1)
    return int(wanted), int(found.get("replicas") or 0), int(found.get(ready_name) or 0)
