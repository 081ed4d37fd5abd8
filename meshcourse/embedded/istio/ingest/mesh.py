"""The mesh configuration: ConfigMap ``istio`` in the root namespace, key ``mesh``.

Source: istio.io "Global Mesh Options" and pilot's defaults (pkg/config/mesh).
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.model import ExtensionProvider, MeshConfig
from meshcourse.embedded.kube.objects import Object

NAMESPACE: Final = "istio-system"
CONFIG_MAP: Final = "istio"

#: Providers that exist without being declared.
_BUILT_IN: Final = (
    ExtensionProvider("prometheus", "prometheus", {}),
    ExtensionProvider("envoy", "envoyFileAccessLog", {"path": "/dev/stdout"}),
)


def parse(config_map: Object | None) -> MeshConfig:
    """The mesh configuration of a ConfigMap; the defaults if it is absent or not readable."""
    text = ((config_map or {}).get("data") or {}).get("mesh") or ""
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        data = {}
    return from_dict(data if isinstance(data, dict) else {})


def from_dict(data: dict[str, Any]) -> MeshConfig:
    """The mesh configuration from parsed YAML (camelCase keys as Istio documents them)."""
    base = MeshConfig()
    return MeshConfig(
        root_namespace=data.get("rootNamespace") or base.root_namespace,
        trust_domain=data.get("trustDomain") or base.trust_domain,
        outbound_policy=(data.get("outboundTrafficPolicy") or {}).get("mode", "ALLOW_ANY"),
        access_log_file=data.get("accessLogFile") or "",
        access_log_format=data.get("accessLogFormat") or "",
        access_log_encoding=data.get("accessLogEncoding") or "TEXT",
        auto_mtls=data.get("enableAutoMtls") is not False,
        enable_tracing=bool(data.get("enableTracing")),
        connect_timeout=_seconds(data.get("connectTimeout")) or base.connect_timeout,
        default_http_retry=data.get("defaultHttpRetryPolicy"),
        default_config=data.get("defaultConfig") or {},
        default_providers=data.get("defaultProviders") or {},
        extension_providers=_providers(data),
        default_service_export_to=tuple(data.get("defaultServiceExportTo") or ("*",)),
        default_virtual_service_export_to=tuple(
            data.get("defaultVirtualServiceExportTo") or ("*",)
        ),
        default_destination_rule_export_to=tuple(
            data.get("defaultDestinationRuleExportTo") or ("*",)
        ),
        h2_upgrade=data.get("h2UpgradePolicy") == "UPGRADE",
        locality_lb=data.get("localityLbSetting") or {"enabled": True},
        path_normalization=(data.get("pathNormalization") or {}).get("normalization", "BASE"),
        ingress_mode=data.get("ingressControllerMode") or base.ingress_mode,
        ingress_class=data.get("ingressClass") or base.ingress_class,
        ingress_service=data.get("ingressService") or base.ingress_service,
        ingress_selector=data.get("ingressSelector") or base.ingress_selector,
        trust_domain_aliases=tuple(data.get("trustDomainAliases") or ()),
    )


def _providers(data: dict[str, Any]) -> tuple[ExtensionProvider, ...]:
    found = {one.name: one for one in _BUILT_IN}
    for entry in data.get("extensionProviders") or []:
        kind = next((key for key in entry if key != "name"), "")
        found[entry["name"]] = ExtensionProvider(entry["name"], kind, entry.get(kind) or {})
    return tuple(found.values())


def _seconds(text: str | None) -> float:
    return durations.seconds(text) if text else 0.0
