"""Sidecar."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import Protocol
from meshcourse.embedded.istio.validate import gateway, names, route_tcp, traffic_policy
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, quoted
from meshcourse.embedded.istio.validate.item import Item

_UNIX: Final = "unix://"
_LOCAL: Final = ("", "127.0.0.1", "0.0.0.0", "::1", "::")
_UNIQUE: Final = "sidecar: ports on IP bound listeners must be unique"


def check(item: Item) -> Findings:
    """Errors and warnings of a Sidecar."""
    spec = item.spec
    for found in names.selector(spec.get("workloadSelector"), field="labels"):
        if not isinstance(found, Warn):
            yield found
            return
        yield Warn(f"sidecar: {found}, will be applied to all services in namespace")
    given = ("egress", "ingress", "outboundTrafficPolicy", "inboundConnectionPool")
    if not any(spec.get(one) for one in given[:2]) and all(
        spec.get(one) is None for one in given[2:]
    ):
        yield "sidecar: empty configuration provided"
        return
    yield from _ingresses(spec)
    yield from traffic_policy.connection_pool(spec.get("inboundConnectionPool"))
    yield from _egresses(item)
    yield from _policy(spec.get("outboundTrafficPolicy"))


def _ingresses(spec: Spec) -> Findings:
    seen: set[int] = set()
    for ingress in items(spec.get("ingress")):
        if ingress is None:
            yield "sidecar: ingress may not be null"
        elif ingress.get("port") is None:
            yield "sidecar: port is required for ingress listeners"
        else:
            yield from _ingress(ingress)
            number = int(ingress["port"].get("number") or 0)
            if number in seen:
                yield _UNIQUE
            seen.add(number)


def _ingress(ingress: Spec) -> Findings:
    port = ingress["port"]
    yield from _port(port)
    yield from names.protocol(port.get("protocol") or "")
    yield from names.port(port.get("number"))
    if ingress.get("bind"):
        yield from names.ip_address(ingress["bind"])
    if ingress.get("defaultEndpoint"):
        yield from _default_endpoint(ingress["defaultEndpoint"])
    if ingress.get("tls") is not None:
        yield from _tls(ingress["tls"], protocols.parse(port.get("protocol") or ""))
    pool = ingress.get("connectionPool")
    yield from traffic_policy.connection_pool(pool)
    parsed = protocols.parse(port.get("protocol") or "")
    if pool and pool.get("http") is not None and not (parsed.http and parsed is not Protocol.AUTO):
        yield Warn(
            f"sidecar: HTTP connection pool settings are configured for port {port.get('number')} "
            f"({quoted(port.get('name') or '')}) but its protocol is not HTTP "
            f"({port.get('protocol') or ''}); only TCP settings will apply"
        )


def _port(port: Spec) -> Findings:
    if port.get("targetPort"):
        yield "targetPort has no impact on Sidecars"
    if port.get("name"):
        yield from names.port_name(port["name"])


def _default_endpoint(text: str) -> Findings:
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path.startswith(("@", "/")) or path.endswith("/"):
            yield f"{path} is not an absolute path to a file"
        return
    host, colon, number = text.rpartition(":")
    if not colon:
        yield f"address {text}: missing port in address"
    if host.strip("[]") not in _LOCAL:
        yield (
            "sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,"
            "[::1]:port,[::]:port,unix://filepath or unset"
        )
    if not number.isdigit():
        yield (
            f"sidecar: defaultEndpoint port ({number}) is not a number: "
            f"strconv.Atoi: parsing {quoted(number)}: invalid syntax"
        )
    else:
        yield from names.port(number)


def _tls(tls: Spec, protocol: Protocol) -> Findings:
    for field, text in (
        ("subjectAltNames", "subjectAltNames is not supported in ingress tls"),
        ("httpsRedirect", "httpsRedirect is not supported"),
        ("credentialName", "credentialName is not currently supported"),
        ("credentialNames", "credentialNames is not currently supported"),
        ("tlsCertificates", "tls_certificates is not currently supported"),
    ):
        if tls.get(field):
            yield f"sidecar: {text}"
    if tls.get("mode") in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH"):
        yield f"configuration is invalid: cannot set mode to {tls['mode']} in sidecar ingress tls"
    if not protocol.tls:
        yield "server cannot have TLS settings for non HTTPS/TLS ports"
    yield from gateway.server_tls(tls)


def _egresses(item: Item) -> Findings:
    found = items(item.spec.get("egress"))
    ports: set[int] = set()
    binds: set[str] = set()
    for number, egress in enumerate(found):
        if egress is None:
            yield "egress listener may not be null"
            continue
        if egress.get("port") is None:
            if number != len(found) - 1:
                yield (
                    "sidecar: the egress listener with empty port should be "
                    "the last listener in the list"
                )
        else:
            yield from _egress_port(egress, ports, binds)
        yield from _hosts(items(egress.get("hosts")), item.namespace)


def _egress_port(egress: Spec, ports: set[int], binds: set[str]) -> Findings:
    port, bind = egress["port"], str(egress.get("bind") or "")
    number = int(port.get("number") or 0)
    yield from _port(port)
    yield from names.protocol(port.get("protocol") or "")
    if number == 0:
        yield from _socket(bind, str(egress.get("captureMode") or "DEFAULT"))
        if bind in binds:
            yield "sidecar: unix domain socket values for listeners must be unique"
        binds.add(bind)
        return
    yield from names.port(number)
    if bind:
        yield from names.ip_address(bind)
    if number in ports:
        yield _UNIQUE
    ports.add(number)


def _socket(bind: str, capture: str) -> Findings:
    if not bind.startswith(_UNIX):
        yield "sidecar: ports with 0 value must have a unix domain socket bind address"
    if capture not in ("DEFAULT", "NONE"):
        yield "sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners"


def _hosts(found: list[str], own: str) -> Findings:
    if not found:
        yield "sidecar: egress listener must contain at least one host"
    seen: dict[str, set[str]] = {}
    for text in found:
        namespace, slash, host = text.partition("/")
        if slash:
            known = seen.setdefault(own if namespace == "." else namespace, set())
            if host in known or "*" in known or (host == "*" and known):
                yield Warn(f"duplicated egress host: {text}")
            known.add(host)
        yield from names.namespaced_host(text, gateway=False)
    if "*" in seen.get("*", ()) and len(seen) != 1:
        yield Warn("`*/*` host select all resources, no other hosts can be added")


def _policy(policy: Spec | None) -> Findings:
    proxy = (policy or {}).get("egressProxy")
    if policy is None or proxy is None:
        return
    if (policy.get("mode") or "REGISTRY_ONLY") != "ALLOW_ANY":
        yield "sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode"
        return
    yield from names.fqdn(str(proxy.get("host") or ""))
    if proxy.get("port") is None:
        yield "sidecar: egress_proxy port must be non-nil"
        return
    yield from route_tcp.destination(proxy)
