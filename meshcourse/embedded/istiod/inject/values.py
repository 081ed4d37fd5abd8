"""Settings of the injector: what ``istioctl install`` was told, and the pod's own annotations on top.

Source: Helm values ``global.…`` in ConfigMap ``istio-sidecar-injector``, mesh configuration
``defaultConfig``, annotation ``proxy.istio.io/config``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from meshcourse import versions
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_RESOURCES: Object = {
    "limits": {"cpu": "2", "memory": "1Gi"},
    "requests": {"cpu": "100m", "memory": "128Mi"},
}


@dataclass(frozen=True, slots=True)
class Values:
    """What holds for every pod.

    :param resources: of the proxy's containers.
    :param proxy_config: the mesh's ``defaultConfig``.
    :param native: whether the proxy is an init container that keeps running (Istio's default since 1.27).
    """

    hub: str = versions.ISTIO_HUB
    tag: str = versions.ISTIO
    image: str = "proxyv2"
    revision: str = ""
    istio_namespace: str = "istio-system"
    trust_domain: str = "cluster.local"
    cluster_domain: str = "cluster.local"
    cluster: str = "Kubernetes"
    log_level: str = "warning"
    component_log_level: str = "misc:error"
    agent_log_level: str = "default:info"
    resources: Object = field(default_factory=lambda: _RESOURCES)
    proxy_config: Mapping[str, Any] = field(default_factory=dict)
    native: bool = True
    merge_metrics: bool = True

    @property
    def istiod(self) -> str:
        """The name of istiod's Service and Deployment."""
        return f"istiod-{self.revision}" if self.revision else "istiod"

    def image_reference(self, override: str = "") -> str:
        """The proxy's image; `override` (an annotation) may be a whole reference or another name."""
        if "/" in override:
            return override
        return f"{self.hub}/{override or self.image}:{self.tag}"


def read(helm: Mapping[str, Any], mesh: Mapping[str, Any], revision: str = "") -> Values:
    """Values out of the install's Helm values and the mesh configuration."""
    base = Values()
    values = dict(helm)
    get = objects.dig
    return Values(
        hub=get(values, "global.hub", base.hub),
        tag=str(get(values, "global.tag", base.tag)),
        image=get(values, "global.proxy.image", base.image),
        revision=revision,
        istio_namespace=get(values, "global.istioNamespace", base.istio_namespace),
        trust_domain=mesh.get("trustDomain") or base.trust_domain,
        cluster_domain=get(values, "global.proxy.clusterDomain", base.cluster_domain),
        cluster=get(values, "global.multiCluster.clusterName", "") or base.cluster,
        log_level=get(values, "global.proxy.logLevel", base.log_level),
        component_log_level=get(values, "global.proxy.componentLogLevel", base.component_log_level),
        agent_log_level=get(values, "global.logging.level", base.agent_log_level),
        resources=get(values, "global.proxy.resources", base.resources),
        proxy_config=mesh.get("defaultConfig") or {},
        native=get(values, "pilot.env.ENABLE_NATIVE_SIDECARS", "true") != "false",
        merge_metrics=mesh.get("enablePrometheusMerge") is not False,
    )


def proxy_config(values: Values, annotations: Mapping[str, str]) -> dict[str, Any]:
    """The ProxyConfig of one pod: the mesh's, overlaid with its annotation.

    :raises ValueError: if the annotation is not a YAML mapping.
    """
    text = annotations.get("proxy.istio.io/config") or "{}"
    try:
        own = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"could not parse annotation proxy.istio.io/config: {error}") from error
    if not isinstance(own, dict):
        raise ValueError("annotation proxy.istio.io/config is not a mapping")
    merged = {**values.proxy_config, **own}
    metadata = {
        **(values.proxy_config.get("proxyMetadata") or {}),
        **(own.get("proxyMetadata") or {}),
    }
    return {**merged, "proxyMetadata": metadata} if metadata else merged
