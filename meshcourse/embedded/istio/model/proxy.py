"""Whom configuration is built for."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from meshcourse.embedded.istio.model.workload import Workload
from meshcourse.embedded.kube.addresses import PodAddresses


class ProxyKind(enum.StrEnum):
    """Istio's proxy types, as in the node id ``sidecar~ip~pod.ns~domain``."""

    SIDECAR = "sidecar"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class Proxy:
    """One Envoy: its kind and the workload (pod) it runs in.

    :param domain: the DNS suffix, ``default.svc.cluster.local``.
    """

    kind: ProxyKind
    workload: Workload
    domain: str = ""

    @property
    def id(self) -> str:
        """``pod.namespace``: how ``istioctl proxy-status`` names it."""
        return f"{self.workload.name}.{self.workload.namespace}"

    @property
    def namespace(self) -> str:
        return self.workload.namespace

    @property
    def addresses(self) -> PodAddresses:
        """Where the proxy listens (``pod``) and where the application does (``app``)."""
        return self.workload.addresses

    @property
    def node_id(self) -> str:
        """Envoy's ``node.id``:
        ``sidecar~127.66.0.5~reviews-v1-abc.default~default.svc.cluster.local``.
        """
        domain = self.domain or f"{self.namespace}.svc.cluster.local"
        return f"{self.kind}~{self.addresses.pod_ip}~{self.id}~{domain}"
