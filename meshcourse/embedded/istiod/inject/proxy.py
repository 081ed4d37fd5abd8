"""The containers that are added: ``istio-init`` and ``istio-proxy``, as sidecar or as gateway.

Source: the injection templates of Istio's istiod chart: names, arguments, environment, probes, ports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.istiod.inject import volumes
from meshcourse.embedded.istiod.inject.owner import Owner
from meshcourse.embedded.istiod.inject.values import Values
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

PROXY = "istio-proxy"
INIT = "istio-init"
STATUS_PORT = 15020


@dataclass(frozen=True, slots=True)
class Context:
    """One pod to be injected.

    :param config: its ProxyConfig.
    """

    pod: Object
    namespace: str
    owner: Owner
    values: Values
    config: Mapping[str, Any]

    def annotation(self, name: str, default: str = "") -> str:
        return objects.annotations_of(self.pod).get(name, default)

    @property
    def containers(self) -> list[Object]:
        """The application's containers."""
        found: list[Object] = objects.dig(self.pod, "spec.containers", [])
        return [one for one in found if one.get("name") != PROXY]

    @property
    def native(self) -> bool:
        default = "true" if self.values.native else "false"
        return self.annotation("sidecar.istio.io/nativeSidecar", default) != "false"


def init(context: Context) -> Object:
    """``istio-init``: with iptables on a real cluster; here it says what captures traffic."""
    ask = context.annotation
    excluded = ask("traffic.sidecar.istio.io/excludeInboundPorts")
    arguments = {
        "-p": "15001",
        "-z": "15006",
        "-u": "1337",
        "-m": ask("sidecar.istio.io/interceptionMode", "REDIRECT"),
        "-i": ask("traffic.sidecar.istio.io/includeOutboundIPRanges", "*"),
        "-x": ask("traffic.sidecar.istio.io/excludeOutboundIPRanges"),
        "-b": ask("traffic.sidecar.istio.io/includeInboundPorts", "*"),
        "-d": ",".join(filter(None, (f"15090,15021,{STATUS_PORT}", excluded))),
    }
    flat = [word for pair in arguments.items() for word in pair]
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": False,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "runAsUser": 0,
    }
    return {
        "name": INIT,
        "image": context.values.image_reference(ask("sidecar.istio.io/proxyImage")),
        "args": ["istio-iptables", *flat, f"--log_output_level={_agent_level(context)}"],
        "resources": _resources(context),
        "securityContext": security,
    }


def sidecar(context: Context) -> Object:
    """``istio-proxy`` beside an application."""
    container = _proxy(context, "sidecar")
    container["readinessProbe"] = _readiness(context)
    if context.native:
        container |= {"restartPolicy": "Always", "startupProbe": _startup()}
    elif context.config.get("holdApplicationUntilProxyStarts"):
        container["lifecycle"] = {"postStart": {"exec": {"command": ["pilot-agent", "wait"]}}}
    return container


def gateway(context: Context) -> Object:
    """``istio-proxy`` as the only container of a gateway."""
    container = _proxy(context, "router")
    container["readinessProbe"] = {
        **_readiness(context),
        "failureThreshold": 30,
        "periodSeconds": 2,
    }
    return container


def _proxy(context: Context, role: str) -> Object:
    values = context.values
    level = context.annotation("sidecar.istio.io/logLevel", values.log_level)
    components = context.annotation(
        "sidecar.istio.io/componentLogLevel", values.component_log_level
    )
    return {
        "name": PROXY,
        "image": values.image_reference(context.annotation("sidecar.istio.io/proxyImage")),
        "args": [
            "proxy",
            role,
            "--domain",
            f"$(POD_NAMESPACE).svc.{values.cluster_domain}",
            f"--proxyLogLevel={level}",
            f"--proxyComponentLogLevel={components}",
            f"--log_output_level={_agent_level(context)}",
        ],
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
        "env": environment(context),
        "resources": _resources(context),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsGroup": 1337,
            "runAsNonRoot": True,
            "runAsUser": 1337,
        },
        "volumeMounts": volumes.mounts(),
    }


def environment(context: Context) -> list[Object]:
    """The variables that pilot-agent reads."""
    values, owner = context.values, context.owner
    kind = f"{owner.kind.lower()}s/{owner.name}"
    path = f"kubernetes://apis/{owner.api_version}/namespaces/{context.namespace}/{kind}"
    mode = context.annotation("sidecar.istio.io/interceptionMode", "REDIRECT")
    ports = [port for one in context.containers for port in one.get("ports") or ()]
    metadata = context.config.get("proxyMetadata") or {}
    return [
        _plain("PILOT_CERT_PROVIDER", "istiod"),
        _plain("CA_ADDR", f"{values.istiod}.{values.istio_namespace}.svc:15012"),
        _field("POD_NAME", "metadata.name"),
        _field("POD_NAMESPACE", "metadata.namespace"),
        _field("INSTANCE_IP", "status.podIP"),
        _field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        _field("HOST_IP", "status.hostIP"),
        _limit("ISTIO_CPU_LIMIT", "limits.cpu"),
        _plain("PROXY_CONFIG", json.dumps(context.config, separators=(",", ":")) + "\n"),
        _plain("ISTIO_META_POD_PORTS", json.dumps(ports, separators=(",", ":"))),
        _plain("ISTIO_META_APP_CONTAINERS", ",".join(one["name"] for one in context.containers)),
        _limit("GOMEMLIMIT", "limits.memory"),
        _plain("ISTIO_META_CLUSTER_ID", values.cluster),
        _field("ISTIO_META_NODE_NAME", "spec.nodeName"),
        _plain("ISTIO_META_INTERCEPTION_MODE", mode),
        _plain("ISTIO_META_WORKLOAD_NAME", owner.name),
        _plain("ISTIO_META_OWNER", path),
        _plain("ISTIO_META_MESH_ID", values.trust_domain),
        _plain("TRUST_DOMAIN", values.trust_domain),
        *(_plain(name, str(value)) for name, value in metadata.items()),
    ]


def _plain(name: str, value: str) -> Object:
    return {"name": name, "value": value}


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _limit(name: str, what: str) -> Object:
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": what, "divisor": "1"}}}


def _agent_level(context: Context) -> str:
    return context.annotation("sidecar.istio.io/agentLogLevel", context.values.agent_log_level)


def _resources(context: Context) -> Object:
    names = {
        ("requests", "cpu"): "sidecar.istio.io/proxyCPU",
        ("requests", "memory"): "sidecar.istio.io/proxyMemory",
        ("limits", "cpu"): "sidecar.istio.io/proxyCPULimit",
        ("limits", "memory"): "sidecar.istio.io/proxyMemoryLimit",
    }
    own: Object = {}
    for (kind, what), annotation in names.items():
        if value := context.annotation(annotation):
            own.setdefault(kind, {})[what] = value
    # As in Istio's template: one annotation replaces all defaults.
    return own or context.values.resources


def _check() -> Object:
    return {"httpGet": {"path": "/healthz/ready", "port": 15021}}


def _startup() -> Object:
    return {**_check(), "failureThreshold": 600, "periodSeconds": 1, "timeoutSeconds": 3}


def _readiness(context: Context) -> Object:
    def number(name: str, default: str) -> int:
        return int(context.annotation(f"readiness.status.sidecar.istio.io/{name}", default))

    return {
        **_check(),
        "failureThreshold": number("failureThreshold", "4"),
        "initialDelaySeconds": number("initialDelaySeconds", "0"),
        "periodSeconds": number("periodSeconds", "15"),
        "timeoutSeconds": 3,
    }
