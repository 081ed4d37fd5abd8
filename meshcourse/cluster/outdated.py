"""What replaced the kinds and fields that older manifests use. Pure; the refusals themselves are the server's.

Sources: Istio's release notes and upgrade notes (1.0 to 1.30), Kubernetes' "Deprecated API Migration Guide".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_MTLS: Final = (
    "is gone since Istio 1.6: write a PeerAuthentication of security.istio.io/v1 for mutual TLS, "
    "a RequestAuthentication for tokens"
)
_RBAC: Final = "is gone since Istio 1.6: write an AuthorizationPolicy of security.istio.io/v1"
_MIXER: Final = "went with Mixer, in Istio 1.8: Telemetry and AuthorizationPolicy took over"

#: API group → kind ("*": every other) → what replaced it.
KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "authentication.istio.io": {"*": _MTLS},
    "rbac.istio.io": {"*": _RBAC},
    "config.istio.io": {
        "RouteRule": "is now a VirtualService of networking.istio.io/v1",
        "DestinationPolicy": "is now a DestinationRule of networking.istio.io/v1",
        "EgressRule": "is now a ServiceEntry of networking.istio.io/v1",
        "*": _MIXER,
    },
    "install.istio.io": {
        "IstioOperator": "is no object of the cluster since Istio 1.24: "
        "it is a file for `istioctl install -f`",
    },
    "extensions": {
        "Ingress": "is now in networking.k8s.io/v1: backend.service.name and .port.number, a pathType",
        "NetworkPolicy": "is now in networking.k8s.io/v1",
        "PodSecurityPolicy": "is gone: label the namespace for Pod Security admission",
        "*": "is now in apps/v1, with a selector",
    },
    "apps": {"*": "is now in apps/v1, with a selector"},
    "networking.k8s.io": {"Ingress": "is now in networking.k8s.io/v1"},
    "policy": {
        "PodSecurityPolicy": "is gone: label the namespace for Pod Security admission",
        "*": "is now in policy/v1",
    },
    "autoscaling": {"*": "is now in autoscaling/v2"},
    "batch": {"CronJob": "is now in batch/v1"},
    "rbac.authorization.k8s.io": {"*": "is now in rbac.authorization.k8s.io/v1"},
    "apiextensions.k8s.io": {"*": "is now in apiextensions.k8s.io/v1, with a schema"},
}

#: How the path of an unknown field ends → what replaced it.
FIELDS: Final[Mapping[str, str]] = {
    r"fault\.(abort|delay)\.percent": "is now percentage: {value: …}",
    r"http\[\d+\]\.websocketUpgrade": "is gone: WebSockets need no setting",
    r"http\[\d+\]\.append(Request)?Headers": "is now headers.request.add",
    r"http\[\d+\]\.removeRequestHeaders": "is now headers.request.remove",
    r"\.appendResponseHeaders": "is now headers.response.add",
    r"\.removeResponseHeaders": "is now headers.response.remove",
    r"outlierDetection\.http": "is gone: its fields stand in outlierDetection itself",
    r"backend\.serviceName": "is now backend.service.name",
    r"backend\.servicePort": "is now backend.service.port.number",
    r"spec\.(.*\.)?jwt": "is now jwtRules of a RequestAuthentication",
}

_NO_MATCH = re.compile(r'no matches for kind "(\w+)" in version "([\w.-]+)(/[\w.-]+)?"')
_UNKNOWN = re.compile(r'unknown field "([^"]+)"')


def replacements(text: str) -> list[str]:
    """For each out-of-date kind or field that a refusal names, what replaced it; each once."""
    return list(dict.fromkeys([*_kinds(text), *_fields(text)]))


def _kinds(text: str) -> Iterator[str]:
    for kind, group, version in _NO_MATCH.findall(text):
        known = KINDS.get(group, {})
        if words := known.get(kind) or known.get("*"):
            yield f"{kind} ({group}{version}) {words}."


def _fields(text: str) -> Iterator[str]:
    for path in _UNKNOWN.findall(text):
        for ending, words in FIELDS.items():
            if re.search(f"{ending}$", path):
                yield f"{path} {words}."
