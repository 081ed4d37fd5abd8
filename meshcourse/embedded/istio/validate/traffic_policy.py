"""Traffic policies of DestinationRules (and connection pools of Sidecars)."""

from __future__ import annotations

import math
from typing import Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.validate import locality, names
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items

_FIELDS: Final = ("outlierDetection", "connectionPool", "loadBalancer", "tls")
_TOP_FIELDS: Final = (*_FIELDS, "portLevelSettings", "tunnel", "proxyProtocol", "retryBudget")
_MAGLEV_LIMIT: Final = 5000011


def check(policy: Spec | None) -> Findings:
    """A TrafficPolicy; an absent one passes."""
    if policy is None:
        return
    if all(policy.get(one) is None for one in _TOP_FIELDS):
        yield "traffic policy must have at least one field"
        return
    if policy.get("tunnel") is not None and policy.get("proxyProtocol") is not None:
        yield "tunnel and proxyProtocol must not be set together"
        return
    yield from _common(policy)
    for setting in items(policy.get("portLevelSettings")):
        yield from _port_level(setting)
    yield from _tunnel(policy.get("tunnel"))


def _common(policy: Spec) -> Findings:
    yield from outlier_detection(policy.get("outlierDetection"))
    yield from connection_pool(policy.get("connectionPool"))
    yield from load_balancer(policy.get("loadBalancer"), policy.get("outlierDetection"))
    yield from client_tls(policy.get("tls"))


def _port_level(setting: Spec | None) -> Findings:
    if setting is None:
        yield "traffic policy may not be null"
        return
    if setting.get("port") is None:
        yield "portTrafficPolicy must have valid port"
    if all(setting.get(one) is None for one in _FIELDS):
        yield "port traffic policy must have at least one field"
    else:
        yield from (one for one in _common(setting) if not isinstance(one, Warn))


def _tunnel(tunnel: Spec | None) -> Findings:
    if tunnel is None:
        return
    if tunnel.get("protocol") not in (None, "", "CONNECT", "POST"):
        yield 'tunnel protocol must be "CONNECT" or "POST"'
    host = str(tunnel.get("targetHost") or "")
    problems = list(names.fqdn(host))
    if problems and not names.is_ip(host):
        ip = next(names.ip_address(host))
        yield f"tunnel target host must be valid FQDN or IP address: {problems[0]}; {ip}"
    for problem in names.port(tunnel.get("targetPort")):
        yield f"tunnel target port is invalid: {problem}"


def outlier_detection(outlier: Spec | None) -> Findings:
    """OutlierDetection."""
    if outlier is None:
        return
    yield from names.duration(outlier.get("baseEjectionTime"))
    if outlier.get("consecutiveErrors"):
        yield Warn(
            "outlier detection consecutive errors is deprecated, "
            "use consecutiveGatewayErrors or consecutive5xxErrors instead"
        )
    split = outlier.get("splitExternalLocalOriginErrors")
    if not split and (outlier.get("consecutiveLocalOriginFailures") or 0) > 0:
        yield (
            "outlier detection consecutive local origin failures is specified, "
            "but split external local origin errors is set to false"
        )
    yield from names.duration(outlier.get("interval"))
    yield from names.percent(outlier.get("maxEjectionPercent"))
    yield from names.percent(outlier.get("minHealthPercent"))


_HTTP_LIMITS: Final = (
    ("http1MaxPendingRequests", "http1 max pending requests"),
    ("http2MaxRequests", "http2 max requests"),
    ("maxRequestsPerConnection", "max requests per connection"),
    ("maxRetries", "max retries"),
)


def connection_pool(pool: Spec | None) -> Findings:
    """ConnectionPoolSettings."""
    if pool is None:
        return
    http, tcp = pool.get("http"), pool.get("tcp")
    if http is None and tcp is None:
        yield "connection pool must have at least one field"
        return
    if http is not None:
        yield from _http_pool(http)
    if tcp is not None:
        yield from _tcp_pool(tcp)


def _http_pool(http: Spec) -> Findings:
    for field, shown in _HTTP_LIMITS:
        if (http.get(field) or 0) < 0:
            yield f"{shown} must be non-negative"
    yield from names.duration(http.get("idleTimeout"))
    if http.get("h2UpgradePolicy") == "UPGRADE" and http.get("useClientProtocol"):
        yield "use client protocol must not be true when H2UpgradePolicy is UPGRADE"
    if (http.get("maxConcurrentStreams") or 0) < 0:
        yield "max concurrent streams must be non-negative"


def _tcp_pool(tcp: Spec) -> Findings:
    if (tcp.get("maxConnections") or 0) < 0:
        yield "max connections must be non-negative"
    yield from names.duration(tcp.get("connectTimeout"))
    yield from names.duration(tcp.get("maxConnectionDuration"))
    idle = tcp.get("idleTimeout")
    if idle is not None and int(durations.seconds(str(idle)) * 1000):
        yield from names.duration(idle)
    keepalive = tcp.get("tcpKeepalive") or {}
    yield from names.duration(keepalive.get("time"))
    yield from names.duration(keepalive.get("interval"))


def load_balancer(settings: Spec | None, outlier: Spec | None) -> Findings:
    """LoadBalancerSettings."""
    if settings is None:
        return
    if settings.get("consistentHash") is not None:
        yield from _consistent_hash(settings["consistentHash"])
    yield from locality.check(settings.get("localityLbSetting"), outlier)
    if settings.get("warmup") is not None:
        yield from _warmup(settings["warmup"])


def _consistent_hash(hashing: Spec) -> Findings:
    if hashing.get("httpCookie") is not None:
        yield from _cookie(hashing["httpCookie"])
    ring_size = int(hashing.get("minimumRingSize") or 0)
    if ring_size:
        yield Warn(
            "consistent hash MinimumRingSize is deprecated, "
            "use ConsistentHashLB's RingHash configuration instead"
        )
        if "maglev" in hashing or "ringHash" in hashing:
            yield "only one of MinimumRingSize or Maglev/Ringhash can be specified"
    if hashing.get("maglev") is not None:
        yield from _maglev(int(hashing["maglev"].get("tableSize") or 0))


def _cookie(cookie: Spec) -> Findings:
    if not cookie.get("name"):
        yield "name required for HttpCookie"
    seen: set[str] = set()
    for attribute in items(cookie.get("attributes")):
        name = attribute.get("name") or ""
        if not name:
            yield "cookie attribute name cannot be empty"
        elif name in seen:
            yield f"duplicate cookie attribute name: {name}"
        seen.add(name)


def _maglev(size: int) -> Findings:
    if not size:
        yield "tableSize must be set for maglev"
    if size >= _MAGLEV_LIMIT:
        yield "tableSize must be less than 5000011 for maglev"
    if not _prime(size):
        yield "tableSize must be a prime number for maglev"


def _prime(number: int) -> bool:
    """Envoy's own test, which counts 1 as prime."""
    if 0 < number < 4:
        return True
    if number % 2 == 0:
        return False
    return all(number % factor for factor in range(3, math.isqrt(number) + 1, 2))


def _warmup(warmup: Spec) -> Findings:
    if warmup.get("duration") is None:
        yield "duration is required"
    yield from names.duration(warmup.get("duration"))
    if float(warmup.get("minimumPercent") or 0) > 100:
        yield "minimumPercent value should be less than or equal to 100"
    if warmup.get("aggression") is not None and float(warmup["aggression"]) < 1:
        yield "aggression should be greater than or equal to 1"


def client_tls(tls: Spec | None) -> Findings:
    """ClientTLSSettings."""
    if tls is None:
        return
    mode, credential = tls.get("mode"), tls.get("credentialName")
    if tls.get("insecureSkipVerify"):
        yield from _insecure(tls)
    if mode in ("SIMPLE", "MUTUAL") and credential:
        files = ("clientCertificate", "caCertificates", "privateKey", "caCrl")
        if any(tls.get(one) for one in files):
            yield "cannot specify client certificates or CA certificate or CA CRL If credentialName is set"
    elif mode == "MUTUAL":
        if not tls.get("clientCertificate"):
            yield "client certificate required for mutual tls"
        if not tls.get("privateKey"):
            yield "private key required for mutual tls"


def _insecure(tls: Spec) -> Findings:
    roots = tls.get("caCertificates") or tls.get("subjectAltNames") is not None
    if tls.get("mode") == "SIMPLE" and (roots or tls.get("credentialName")):
        yield (
            "cannot specify CaCertificates or CredentialName or SubjectAltNames "
            "when InsecureSkipVerify is set true"
        )
    if tls.get("mode") == "MUTUAL" and roots:
        yield "cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true"
