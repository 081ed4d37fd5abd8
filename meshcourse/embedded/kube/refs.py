"""References to kinds: group, version, plural, kind.

Source: Kubernetes API concepts (GVK, GVR) and the API reference for the built-in kinds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One served kind: where it lives in URLs and what its objects are called."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``v1`` or ``apps/v1``: the ``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``pods`` or ``deployments.apps``: how messages and CRDs name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL path, for example ``/apis/apps/v1/namespaces/default/deployments/web/scale``."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICEACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICASETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
STATEFULSETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMONSETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
JOBS = Resource("batch", "v1", "jobs", "Job")
CRONJOBS = Resource("batch", "v1", "cronjobs", "CronJob")
HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
ENDPOINTSLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
INGRESSCLASSES = Resource(
    "networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False
)
CRDS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
MUTATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
VALIDATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
TOKEN_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False
)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
NODE_METRICS = Resource("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False)


def _istio(group: str, plural: str, kind: str) -> Resource:
    return Resource(f"{group}.istio.io", "v1", plural, kind)


VIRTUALSERVICES = _istio("networking", "virtualservices", "VirtualService")
DESTINATIONRULES = _istio("networking", "destinationrules", "DestinationRule")
GATEWAYS = _istio("networking", "gateways", "Gateway")
SERVICEENTRIES = _istio("networking", "serviceentries", "ServiceEntry")
SIDECARS = _istio("networking", "sidecars", "Sidecar")
WORKLOADENTRIES = _istio("networking", "workloadentries", "WorkloadEntry")
WORKLOADGROUPS = _istio("networking", "workloadgroups", "WorkloadGroup")
ENVOYFILTERS = Resource("networking.istio.io", "v1alpha3", "envoyfilters", "EnvoyFilter")
PROXYCONFIGS = Resource("networking.istio.io", "v1beta1", "proxyconfigs", "ProxyConfig")
PEERAUTHENTICATIONS = _istio("security", "peerauthentications", "PeerAuthentication")
REQUESTAUTHENTICATIONS = _istio("security", "requestauthentications", "RequestAuthentication")
AUTHORIZATIONPOLICIES = _istio("security", "authorizationpolicies", "AuthorizationPolicy")
TELEMETRIES = _istio("telemetry", "telemetries", "Telemetry")
WASMPLUGINS = Resource("extensions.istio.io", "v1alpha1", "wasmplugins", "WasmPlugin")


def _gateway_api(version: str, plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource("gateway.networking.k8s.io", version, plural, kind, namespaced)


K8S_GATEWAYCLASSES = _gateway_api("v1", "gatewayclasses", "GatewayClass", namespaced=False)
K8S_GATEWAYS = _gateway_api("v1", "gateways", "Gateway")
HTTPROUTES = _gateway_api("v1", "httproutes", "HTTPRoute")
GRPCROUTES = _gateway_api("v1", "grpcroutes", "GRPCRoute")
TLSROUTES = _gateway_api("v1", "tlsroutes", "TLSRoute")
TCPROUTES = _gateway_api("v1alpha2", "tcproutes", "TCPRoute")
REFERENCEGRANTS = _gateway_api("v1beta1", "referencegrants", "ReferenceGrant")
