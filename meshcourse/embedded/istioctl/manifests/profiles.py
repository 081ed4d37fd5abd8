"""The built-in profiles as IstioOperator specs.

Source: istio.io "Installation Configuration Profiles": default, demo, minimal, empty, preview, remote.
"""

from __future__ import annotations

import copy
from typing import Any

from meshcourse import versions
from meshcourse.errors import MeshcourseError

Spec = dict[str, Any]

_SMALL = {"requests": {"cpu": "10m", "memory": "40Mi"}}
_MESH: Spec = {
    "defaultConfig": {"discoveryAddress": "istiod.istio-system.svc:15012"},
    "defaultProviders": {"metrics": ["prometheus"]},
    "enablePrometheusMerge": True,
    "rootNamespace": "istio-system",
    "trustDomain": "cluster.local",
}
_DEFAULT: Spec = {
    "hub": versions.ISTIO_HUB,
    "tag": versions.ISTIO,
    "meshConfig": _MESH,
    "components": {
        "base": {"enabled": True},
        "pilot": {"enabled": True},
        "ingressGateways": [{"name": "istio-ingressgateway", "enabled": True}],
        "egressGateways": [{"name": "istio-egressgateway", "enabled": False}],
    },
    "values": {
        "global": {
            "istioNamespace": "istio-system",
            "configValidation": True,
            "logging": {"level": "default:info"},
            "proxy": {
                "image": "proxyv2",
                "logLevel": "warning",
                "componentLogLevel": "misc:error",
                "clusterDomain": "cluster.local",
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                    "limits": {"cpu": "2", "memory": "1Gi"},
                },
            },
        },
        "pilot": {
            "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}},
            "traceSampling": 1,
            "env": {},
        },
        "gateways": {
            "istio-ingressgateway": {
                "type": "LoadBalancer",
                "ports": [
                    {"name": "status-port", "port": 15021, "targetPort": 15021},
                    {"name": "http2", "port": 80, "targetPort": 8080},
                    {"name": "https", "port": 443, "targetPort": 8443},
                ],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                    "limits": {"cpu": "2", "memory": "1Gi"},
                },
            },
            "istio-egressgateway": {
                "type": "ClusterIP",
                "ports": [
                    {"name": "http2", "port": 80, "targetPort": 8080},
                    {"name": "https", "port": 443, "targetPort": 8443},
                ],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                    "limits": {"cpu": "2", "memory": "1Gi"},
                },
            },
        },
        "sidecarInjectorWebhook": {"reinvocationPolicy": "Never"},
    },
}
_DEMO: Spec = {
    "meshConfig": {
        "accessLogFile": "/dev/stdout",
        "extensionProviders": [
            {
                "name": "zipkin",
                "zipkin": {"service": "zipkin.istio-system.svc.cluster.local", "port": 9411},
            },
            {
                "name": "jaeger",
                "opentelemetry": {
                    "service": "jaeger-collector.istio-system.svc.cluster.local",
                    "port": 4317,
                },
            },
            {
                # A kind of our own: Istio has no provider for Envoy's Fluentd logger.
                "name": "fluent-bit",
                "envoyFluentdAccessLog": {
                    "service": "fluent-bit.istio-system.svc.cluster.local",
                    "port": 24224,
                },
            },
        ],
    },
    "components": {"egressGateways": [{"name": "istio-egressgateway", "enabled": True}]},
    "values": {
        "global": {"proxy": {"resources": _SMALL}},
        "pilot": {
            "resources": {"requests": {"cpu": "10m", "memory": "100Mi"}},
            "traceSampling": 100,
        },
        "gateways": {
            "istio-egressgateway": {"resources": _SMALL},
            "istio-ingressgateway": {
                "resources": _SMALL,
                "ports": [
                    {"name": "status-port", "port": 15021, "targetPort": 15021},
                    {"name": "http2", "port": 80, "targetPort": 8080},
                    {"name": "https", "port": 443, "targetPort": 8443},
                    {"name": "tcp", "port": 31400, "targetPort": 31400},
                    {"name": "tls", "port": 15443, "targetPort": 15443},
                ],
            },
        },
    },
}
_MINIMAL: Spec = {
    "components": {"ingressGateways": [{"name": "istio-ingressgateway", "enabled": False}]}
}
_EMPTY: Spec = {
    "components": {
        "base": {"enabled": False},
        "pilot": {"enabled": False},
        "ingressGateways": [{"name": "istio-ingressgateway", "enabled": False}],
    }
}
_PROFILES: dict[str, Spec] = {
    "default": {},
    "demo": _DEMO,
    "minimal": _MINIMAL,
    "empty": _EMPTY,
    "preview": {},
}
NAMES = tuple(_PROFILES)


class UnknownProfile(MeshcourseError):
    """A profile that does not exist here."""


def spec(name: str) -> Spec:
    """The spec of a profile.

    :raises UnknownProfile: with the profiles there are.
    """
    if name not in _PROFILES:
        known = ", ".join(NAMES)
        raise UnknownProfile(
            f"profile {name!r} not found",
            remedy=f"the embedded cluster knows the profiles {known}; "
            "ambient and the platforms' profiles need a real cluster",
        )
    found: Spec = merge(_DEFAULT, _PROFILES[name])
    return found


def merge(base: Any, over: Any) -> Any:
    """`over` laid upon a copy of `base`: mappings merge, anything else is replaced; null removes."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return copy.deepcopy(over)
    result = copy.deepcopy(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result[key], value) if key in result else copy.deepcopy(value)
    return result
