"""MeshConfig: the settings of the whole mesh (ConfigMap ``istio`` in ``istio-system``, key
``mesh``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ExtensionProvider:
    """A named provider: tracer, access logger, metrics, external authorizer.

    :param kind: the key under which it was written (``zipkin``, ``envoyExtAuthzHttp`` …).
    """

    name: str
    kind: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """The fields of ``istio.mesh.v1alpha1.MeshConfig`` that have an effect here, with Istio's
    defaults.

    :param access_log_file: "" means no access log unless a Telemetry asks for one.
    :param connect_timeout: seconds.
    :param default_http_retry: None is Istio's default policy.
    :param ingress_mode: OFF, STRICT or DEFAULT (Ingresses without a class are ours, too).
    :param default_config: ``defaultConfig`` (ProxyConfig) as written.
    """

    root_namespace: str = "istio-system"
    trust_domain: str = "cluster.local"
    domain: str = "cluster.local"
    outbound_policy: str = "ALLOW_ANY"
    access_log_file: str = ""
    access_log_format: str = ""
    access_log_encoding: str = "TEXT"
    auto_mtls: bool = True
    enable_tracing: bool = False
    connect_timeout: float = 10.0
    default_http_retry: Mapping[str, Any] | None = None
    default_config: Mapping[str, Any] = field(default_factory=dict)
    default_providers: Mapping[str, Any] = field(default_factory=dict)
    extension_providers: tuple[ExtensionProvider, ...] = ()
    default_service_export_to: tuple[str, ...] = ("*",)
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    h2_upgrade: bool = False
    locality_lb: Mapping[str, Any] = field(default_factory=dict)
    path_normalization: str = "BASE"
    ingress_class: str = "istio"
    ingress_mode: str = "STRICT"
    ingress_service: str = "istio-ingressgateway"
    ingress_selector: str = "ingressgateway"
    trust_domain_aliases: tuple[str, ...] = ()

    def provider(self, name: str) -> ExtensionProvider | None:
        """The extension provider of that name."""
        return next((one for one in self.extension_providers if one.name == name), None)
