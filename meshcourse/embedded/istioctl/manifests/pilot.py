"""Component "Pilot" (Istiod): account and roles, configuration, Service, Deployment, webhooks."""

from __future__ import annotations

import json
from typing import Any

import yaml

from meshcourse.embedded.istioctl.manifests import base, common
from meshcourse.embedded.istioctl.manifests.profiles import Spec
from meshcourse.embedded.kube.objects import Object

_ISTIO_GROUPS = "security.istio.io,networking.istio.io,telemetry.istio.io,extensions.istio.io"
_READ = "get,list,watch"


class Pilot:
    """The objects of one revision of istiod."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._values: dict[str, Any] = spec.get("values") or {}
        self._revision = str(spec.get("revision") or "")
        self._suffix = f"-{self._revision}" if self._revision else ""
        self._name = f"istiod{self._suffix}"
        self._labels = common.labels("Pilot", self._revision, app="istiod", istio="pilot")

    def objects(self) -> list[Object]:
        """In the order in which they are to be applied; the Deployment goes last."""
        found = [
            common.build("v1", "ServiceAccount", self._name, self._labels, common.NAMESPACE),
            *self._roles(),
            self._mesh_config(),
            self._injector_config(),
            self._service(),
            self._injection_webhooks(),
        ]
        if (self._values.get("global") or {}).get("configValidation", True):
            name = f"istio-validator{self._suffix}-{common.NAMESPACE}"
            revision = self._revision or "default"
            found.append(base.validator(name, "rev.validation.istio.io", self._revision, revision))
        return [*found, self._deployment()]

    def _roles(self) -> list[Object]:
        name = f"istiod-clusterrole{self._suffix}-{common.NAMESPACE}"
        rules = [
            common.rule(
                "admissionregistration.k8s.io",
                "mutatingwebhookconfigurations,validatingwebhookconfigurations",
                f"{_READ},update,patch",
            ),
            common.rule(_ISTIO_GROUPS, "*", f"{_READ},update,patch"),
            common.rule("gateway.networking.k8s.io", "*", f"{_READ},create,update,patch,delete"),
            common.rule("apiextensions.k8s.io", "customresourcedefinitions", _READ),
            common.rule("core", "pods,nodes,services,namespaces,endpoints,secrets", _READ),
            common.rule("core", "services/status", f"{_READ},create,update,patch,delete"),
            common.rule("core", "configmaps", f"{_READ},create,update"),
            common.rule("core", "events", "create,patch"),
            common.rule("discovery.k8s.io", "endpointslices", _READ),
            common.rule("networking.k8s.io", "ingresses,ingressclasses", _READ),
            common.rule("networking.k8s.io", "ingresses/status", "*"),
            # The gateways that the Gateway API asks for (a role of its own in Istio's chart).
            common.rule("apps", "deployments", f"{_READ},update,patch,create,delete"),
            common.rule("core", "services,serviceaccounts", f"{_READ},update,patch,create,delete"),
            common.rule("authentication.k8s.io", "tokenreviews", "create"),
            common.rule("authorization.k8s.io", "subjectaccessreviews", "create"),
        ]
        local = [
            common.rule("networking.istio.io", "gateways", "create"),
            common.rule("core", "secrets", "create,get,watch,list,update,delete"),
            common.rule("core", "configmaps", "delete"),
            common.rule("coordination.k8s.io", "leases", "get,update,patch,create"),
        ]
        api = "rbac.authorization.k8s.io/v1"
        namespace = common.NAMESPACE
        return [
            common.build(api, "ClusterRole", name, self._labels, rules=rules),
            common.binding("ClusterRoleBinding", name, self._name, self._labels),
            common.build(api, "Role", self._name, self._labels, namespace, rules=local),
            common.binding("RoleBinding", self._name, self._name, self._labels, namespace),
        ]

    def _mesh_config(self) -> Object:
        mesh = yaml.safe_dump(self._spec.get("meshConfig") or {}, sort_keys=True)
        data = {"mesh": mesh, "meshNetworks": "networks: {}\n"}
        name = f"istio{self._suffix}"
        return common.build("v1", "ConfigMap", name, self._labels, common.NAMESPACE, data=data)

    def _injector_config(self) -> Object:
        """Values for the injector; its templates are part of istiod here, so ``config`` only names them."""
        values = {**self._values, "revision": self._revision}
        values["global"] = {
            **(values.get("global") or {}),
            "hub": self._spec.get("hub"),
            "tag": self._spec.get("tag"),
        }
        config = {"policy": "enabled", "defaultTemplates": ["sidecar"]}
        data = {"values": json.dumps(values, indent=2), "config": yaml.safe_dump(config)}
        name = f"istio-sidecar-injector{self._suffix}"
        return common.build("v1", "ConfigMap", name, self._labels, common.NAMESPACE, data=data)

    def _service(self) -> Object:
        ports = [
            {"name": "https-dns", "port": 15012, "protocol": "TCP"},
            {"name": "https-webhook", "port": 443, "targetPort": 15017, "protocol": "TCP"},
            {"name": "http-monitoring", "port": 15014, "protocol": "TCP"},
        ]
        selector = {"app": "istiod", "istio": "pilot"}
        if self._revision:
            selector = {"app": "istiod", "istio.io/rev": self._revision}
        spec = {"ports": ports, "selector": selector}
        return common.build("v1", "Service", self._name, self._labels, common.NAMESPACE, spec=spec)

    def _deployment(self) -> Object:
        pod_labels = {
            **self._labels,
            "istio": "istiod" if self._revision else "pilot",
            "sidecar.istio.io/inject": "false",
            "istio.io/dataplane-mode": "none",
            "app.kubernetes.io/name": "istiod",
        }
        annotations = {
            "prometheus.io/port": "15014",
            "prometheus.io/scrape": "true",
            "sidecar.istio.io/inject": "false",
        }
        selector = {"istio": "pilot"}
        if self._revision:
            selector = {"app": "istiod", "istio.io/rev": self._revision}
        spec = {
            "selector": {"matchLabels": selector},
            "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"labels": pod_labels, "annotations": annotations},
                "spec": {
                    "serviceAccountName": self._name,
                    "containers": [self._container()],
                    "volumes": self._volumes(),
                },
            },
        }
        api, namespace = "apps/v1", common.NAMESPACE
        return common.build(api, "Deployment", self._name, self._labels, namespace, spec=spec)

    def _container(self) -> Object:
        pilot = self._values.get("pilot") or {}
        ports = {
            "http-debug": 8080,
            "tls-xds": 15012,
            "https-webhooks": 15017,
            "http-monitoring": 15014,
        }
        level = ((self._values.get("global") or {}).get("logging") or {}).get("level", "")
        return {
            "name": "discovery",
            "image": f"{self._spec['hub']}/pilot:{self._spec['tag']}",
            "args": [
                "discovery",
                "--monitoringAddr=:15014",
                *([f"--log_output_level={level}"] if level else []),
                "--domain",
                "cluster.local",
                "--keepaliveMaxServerConnectionAge",
                "30m",
            ],
            "ports": [
                {"containerPort": port, "name": name, "protocol": "TCP"}
                for name, port in ports.items()
            ],
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": 8080},
                "periodSeconds": 3,
                "timeoutSeconds": 5,
            },
            "env": [
                common.plain_env("REVISION", self._revision or "default"),
                common.plain_env("PILOT_CERT_PROVIDER", "istiod"),
                common.field_env("POD_NAME", "metadata.name"),
                common.field_env("POD_NAMESPACE", "metadata.namespace"),
                common.field_env("SERVICE_ACCOUNT", "spec.serviceAccountName"),
                common.plain_env("PILOT_TRACE_SAMPLING", str(pilot.get("traceSampling", 1))),
                common.plain_env("CLUSTER_ID", "Kubernetes"),
                *(common.plain_env(k, str(v)) for k, v in (pilot.get("env") or {}).items()),
            ],
            "resources": pilot.get("resources") or {},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
            },
            "volumeMounts": [
                {"name": "istio-token", "mountPath": "/var/run/secrets/tokens", "readOnly": True},
                {"name": "local-certs", "mountPath": "/var/run/secrets/istio-dns"},
                {"name": "cacerts", "mountPath": "/etc/cacerts", "readOnly": True},
            ],
        }

    def _volumes(self) -> list[Object]:
        token = {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}
        return [
            {"name": "local-certs", "emptyDir": {"medium": "Memory"}},
            {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
            {"name": "cacerts", "secret": {"secretName": "cacerts", "optional": True}},
        ]

    def _injection_webhooks(self) -> Object:
        revision = self._revision or "default"
        not_out = _expression("sidecar.istio.io/inject", "NotIn", "false")
        rev = _expression("istio.io/rev", "In", revision)
        no_rev, no_injection = _absent("istio.io/rev"), _absent("istio-injection")
        hooks = [
            self._hook("rev.namespace.", [rev, no_injection], [not_out]),
            self._hook("rev.object.", [no_rev, no_injection], [not_out, rev]),
        ]
        if not self._revision:
            enabled = _expression("istio-injection", "In", "enabled")
            wished = _expression("sidecar.istio.io/inject", "In", "true")
            hooks += [
                self._hook("namespace.", [enabled], [not_out]),
                self._hook("object.", [no_injection, no_rev], [wished, no_rev]),
            ]
        name = f"istio-sidecar-injector{self._suffix}"
        labels = {**self._labels, "app": "sidecar-injector"}
        api = "admissionregistration.k8s.io/v1"
        return common.build(api, "MutatingWebhookConfiguration", name, labels, webhooks=hooks)

    def _hook(self, prefix: str, namespaces: list[Object], pods: list[Object]) -> Object:
        where = {"name": self._name, "namespace": common.NAMESPACE, "path": "/inject", "port": 443}
        return {
            "name": f"{prefix}sidecar-injector.istio.io",
            "clientConfig": {"service": where},
            "sideEffects": "None",
            "rules": [
                {
                    "operations": ["CREATE"],
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["pods"],
                }
            ],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchExpressions": namespaces},
            "objectSelector": {"matchExpressions": pods},
        }


def _expression(key: str, operator: str, value: str) -> Object:
    return {"key": key, "operator": operator, "values": [value]}


def _absent(key: str) -> Object:
    return {"key": key, "operator": "DoesNotExist"}
