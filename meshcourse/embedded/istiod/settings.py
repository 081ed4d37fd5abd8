"""istiod's settings: its environment and its mounted files. Read once, at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshcourse.embedded.istiod.agent.settings import seconds
from meshcourse.embedded.istiod.ca.signer import Lifetimes


@dataclass(frozen=True, slots=True)
class Debounce:
    """How long changes are collected before a push, seconds.

    Real istiod waits 100 ms after the last change and 10 s at most (``PILOT_DEBOUNCE_AFTER``,
    ``PILOT_DEBOUNCE_MAX``); a mesh on one machine can afford to be quick.
    """

    after: float = 0.006
    maximum: float = 0.06


@dataclass(frozen=True, slots=True)
class Settings:
    """One istiod.

    :param host: the address to listen on.
    :param https_port: real ports by istiod's names; others likewise (0 in tests: any).
    """

    namespace: str = "istio-system"
    pod: str = "istiod"
    revision: str = ""
    host: str = "127.0.0.1"
    trust_domain: str = "cluster.local"
    ports: Mapping[int, int] = field(default_factory=dict)
    debounce: Debounce = field(default_factory=Debounce)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)

    def port(self, number: int) -> int:
        """The real port on which istiod's port `number` is served."""
        return self.ports.get(number, number)

    @property
    def service(self) -> str:
        return f"istiod-{self.revision}" if self.revision else "istiod"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the serving certificate."""
        services = dict.fromkeys((self.service, "istiod", "istio-pilot"))
        return tuple(f"{one}.{self.namespace}.svc" for one in services)


#: discovery over mutual TLS, webhooks and certificates, metrics and debugging, readiness.
XDS, HTTPS, MONITORING, HTTP = 15012, 15017, 15014, 8080


def read(env: Mapping[str, str] = os.environ) -> Settings:
    """Settings of the pod we run in."""
    from meshcourse.embedded.istiod.agent import place

    base = Settings()
    revision = env.get("REVISION", "")
    ports = {port: place.listen(port, env)[1] for port in (XDS, HTTPS, MONITORING, HTTP)}
    return Settings(
        namespace=env.get("POD_NAMESPACE", base.namespace),
        pod=env.get("POD_NAME", base.pod),
        revision="" if revision == "default" else revision,
        host=place.listen(XDS, env)[0],
        trust_domain=env.get("TRUST_DOMAIN", base.trust_domain),
        ports=ports,
        debounce=Debounce(
            seconds(env.get("PILOT_DEBOUNCE_AFTER", "6ms")),
            seconds(env.get("PILOT_DEBOUNCE_MAX", "60ms")),
        ),
        lifetimes=Lifetimes(
            seconds(env.get("DEFAULT_WORKLOAD_CERT_TTL", "24h")),
            seconds(env.get("MAX_WORKLOAD_CERT_TTL", "2160h")),
        ),
    )
