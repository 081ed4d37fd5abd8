"""What the agent was told: its environment, the pod's labels and annotations, its arguments. Read once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshcourse import versions
from meshcourse.embedded.istiod.agent import place

LABELS = "/etc/istio/pod/labels"
ANNOTATIONS = "/etc/istio/pod/annotations"
_DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One proxy's settings.

    :param kind: ``sidecar`` or ``router``.
    :param ca_address: host and port of istiod's certificate endpoint, by name.
    :param lifetime: of the certificate asked for, seconds (``SECRET_TTL``).
    :param grace_ratio: renew when this part of the life is left (``SECRET_GRACE_PERIOD_RATIO``).
    :param drain: seconds that a terminating proxy goes on serving at most.
    :param log_level: Envoy's (``--proxyLogLevel``).
    :param scrape: the application's ``prometheus.io/…`` annotations (scrape, port, path).
    """

    kind: str
    pod: str
    namespace: str
    ip: str
    service_account: str
    ca_address: tuple[str, int]
    workload: str = ""
    lifetime: float = _DAY
    grace_ratio: float = 0.5
    drain: float = 5.0
    log_level: str = "warning"
    component_log_level: str = "misc:error"
    concurrency: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    proxy_config: Mapping[str, Any] = field(default_factory=dict)
    scrape: Mapping[str, str] = field(default_factory=dict)

    @property
    def node_id(self) -> str:
        domain = f"{self.namespace}.svc.cluster.local"
        return f"{self.kind}~{self.ip}~{self.pod}.{self.namespace}~{domain}"

    @property
    def canonical_service(self) -> str:
        names = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
        return _first(self.labels, names) or self.workload or self.pod

    @property
    def canonical_revision(self) -> str:
        names = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
        return _first(self.labels, names) or "latest"


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def read(argv: Sequence[str], env: Mapping[str, str]) -> Settings:
    """Settings of ``proxy sidecar …`` or ``proxy router …``.

    :raises KeyError: if the pod does not say its name or namespace (an incomplete manifest).
    """
    flags = dict(arg[2:].split("=", 1) for arg in argv if arg.startswith("--") and "=" in arg)
    host, _, port = env.get("CA_ADDR", "istiod.istio-system.svc:15012").rpartition(":")
    labels = place.read_pairs(place.mounted(LABELS, env))
    annotations = place.read_pairs(place.mounted(ANNOTATIONS, env))
    config = json.loads(env.get("PROXY_CONFIG") or "{}")
    return Settings(
        kind="router" if "router" in argv else "sidecar",
        pod=env["POD_NAME"],
        namespace=env["POD_NAMESPACE"],
        ip=env.get("MESHCOURSE_POD_IP") or env["INSTANCE_IP"],
        service_account=env.get("SERVICE_ACCOUNT") or "default",
        ca_address=(host, int(port)),
        workload=env.get("ISTIO_META_WORKLOAD_NAME", ""),
        lifetime=seconds(env.get("SECRET_TTL") or "24h"),
        grace_ratio=float(env.get("SECRET_GRACE_PERIOD_RATIO") or 0.5),
        drain=seconds(config.get("terminationDrainDuration") or "5s"),
        log_level=flags.get("proxyLogLevel", "warning"),
        component_log_level=flags.get("proxyComponentLogLevel", "misc:error"),
        concurrency=int(config.get("concurrency") or 1),
        labels=labels,
        annotations=annotations,
        metadata=_metadata(env, labels, annotations),
        proxy_config=config,
        scrape=json.loads(env.get("ISTIO_PROMETHEUS_ANNOTATIONS") or "{}"),
    )


def _metadata(
    env: Mapping[str, str], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> dict[str, Any]:
    """Envoy's node metadata: what Istio's agent collects from ``ISTIO_META_…`` and the pod."""
    prefix = "ISTIO_META_"
    found: dict[str, Any] = {
        key.removeprefix(prefix): _maybe_json(value)
        for key, value in env.items()
        if key.startswith(prefix)
    }
    found |= {
        "NAME": env["POD_NAME"],
        "NAMESPACE": env["POD_NAMESPACE"],
        "SERVICE_ACCOUNT": env.get("SERVICE_ACCOUNT") or "default",
        "INSTANCE_IPS": env.get("MESHCOURSE_POD_IP") or env["INSTANCE_IP"],
        "ISTIO_VERSION": versions.ISTIO,
        "LABELS": dict(labels),
        "ANNOTATIONS": dict(annotations),
        "PILOT_SAN": ["istiod.istio-system.svc"],
    }
    return found


def _maybe_json(text: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": _DAY}


def seconds(text: str) -> float:
    """A duration as Go writes it: ``24h``, ``1m30s``, ``250ms``.

    :raises ValueError: for anything else.
    """
    total, number, unit = 0.0, "", ""
    for char in f"{text} ":
        if char.isdigit() or char == ".":
            if unit:
                total, number, unit = total + float(number) * _UNITS[unit], "", ""
            number += char
        elif char != " ":
            unit += char
    if not number or unit not in _UNITS:
        raise ValueError(f"invalid duration {text!r}: write for example 24h, 1m30s or 250ms")
    return total + float(number) * _UNITS[unit]
