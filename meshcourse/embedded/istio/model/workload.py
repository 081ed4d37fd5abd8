"""A running instance: a pod, later also a WorkloadEntry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshcourse.embedded.kube.addresses import PodAddresses


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that a container of the pod declares (never one of ``istio-proxy``)."""

    number: int
    name: str = ""
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """One pod as the mesh sees it. Equality and hash are identity: ingest reuses unchanged ones.

    :param name: pod name; `workload` is the Deployment's (Istio's ``source_workload``).
    :param canonical_service: ``service.istio.io/canonical-name``, else
        ``app.kubernetes.io/name``, ``app``, the workload's name.
    :param canonical_revision: likewise from ``version``, else ``latest``.
    :param proxy: ``sidecar``, ``router`` or "" (not injected).
    :param locality: ``region/zone/subzone``.
    :param proxy_config: the annotation ``proxy.istio.io/config``, read.
    :param topology: labels that say where it runs (``topology.kubernetes.io/zone`` …), which rules
        may use as if they were the pod's.
    """

    namespace: str
    name: str
    addresses: PodAddresses
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    service_account: str
    workload: str
    workload_kind: str
    canonical_service: str
    canonical_revision: str
    proxy: str
    ports: tuple[ContainerPort, ...] = ()
    locality: str = ""
    node: str = ""
    topology: Mapping[str, str] = field(default_factory=dict)
    proxy_config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_labels(self) -> dict[str, str]:
        """The pod's labels and the topology's."""
        return {**self.labels, **self.topology}

    @property
    def app(self) -> str:
        return self.labels.get("app", "")

    @property
    def version(self) -> str:
        return self.labels.get("version", "")
