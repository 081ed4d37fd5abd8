"""TCP and TLS routes, destinations and gateway names of a VirtualService."""

from __future__ import annotations

from collections.abc import Iterable

from meshcourse.embedded.istio import hosts
from meshcourse.embedded.istio.validate import headers, names
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, quoted


def gateway_names(found: Iterable[str]) -> Findings:
    """``gateways``: ``namespace/name``, or a plain name. Pilot stops at the first plain one."""
    for text in found:
        namespace, slash, name = text.partition("/")
        if not slash:
            if "." in text:
                parts = text.split(".")
                recommended = quoted(f"{parts[1]}/{parts[0]}")
                yield Warn(
                    f"using legacy gatewayName format {quoted(text)}; "
                    f"prefer the <namespace>/<name> format: {recommended}"
                )
            yield from names.fqdn(text)
            return
        if not namespace or not name:
            yield "config namespace and gateway name cannot be empty"
        if not names.is_label(namespace):
            yield f"invalid value for namespace: {quoted(namespace)}"
        if not names.is_label(name):
            yield f"invalid value for gateway name: {quoted(name)}"


def destination(found: Spec | None) -> Findings:
    """A Destination; absent ones pass."""
    if found is None:
        return
    host = found.get("host") or ""
    if host == "*":
        yield f"invalid destination host {host}"
    else:
        yield from names.wildcard_domain(host)
    if found.get("subset") and not names.is_label(found["subset"]):
        yield f"subset name is invalid: {found['subset']}"
    if found.get("port") is not None:
        yield from names.port(found["port"].get("number"))


def destinations(route: Spec, *, with_headers: bool = False) -> Findings:
    """The weighted destinations of a route."""
    found, total = items(route.get("route")), 0
    for target in found:
        if target is None:
            yield "weight may not be nil"
            continue
        if target.get("destination") is None:
            yield "destination is required"
        if with_headers:
            yield from headers.operations(target.get("headers"))
        yield from destination(target.get("destination"))
        weight = int(target.get("weight") or 0)
        if weight < 0:
            yield f"weight {weight} < 0"
        total += weight
    if len(found) > 1 and total == 0:
        yield "total destination weight = 0"


def tls(route: Spec, rule: Spec, *, to_gateway: bool) -> Findings:
    """One TLS route. `to_gateway`: the rule is not bound to the mesh by name."""
    found = items(route.get("match"))
    if not found:
        yield "TLS route must have at least one match condition"
    for match in found:
        if match is None:
            yield "TLS match may not be null"
            continue
        if not items(match.get("sniHosts")):
            yield "TLS match must have at least one SNI host"
        for host in items(match.get("sniHosts")):
            yield from _sni(host, rule, to_gateway=to_gateway)
        yield from _connection(match)
    if not items(route.get("route")):
        yield "TLS route is required"
    yield from destinations(route)


def _sni(host: str, rule: Spec, *, to_gateway: bool) -> Findings:
    problems = list(
        names.gateway_domain(host, sni=True) if to_gateway else names.wildcard_domain(host)
    )
    if problems and names.is_ip(host):
        yield Warn(
            f"using an IP address ({quoted(host)}) goes against SNI spec "
            "and most clients do not support this"
        )
    elif problems:
        yield from problems
    elif not any(hosts.within(host, one) for one in items(rule.get("hosts"))):
        known = ", ".join(items(rule.get("hosts")))
        yield (
            f"SNI host {quoted(host)} is not a compatible subset of any of "
            f"the virtual service hosts: [{known}]"
        )


def _connection(match: Spec) -> Findings:
    for block in items(match.get("destinationSubnets")):
        yield from names.subnet(block)
    if match.get("port"):
        yield from names.port(match["port"])
    yield from names.labels(match.get("sourceLabels"))
    yield from gateway_names(items(match.get("gateways")))


def tcp(route: Spec) -> Findings:
    """One TCP route."""
    for match in items(route.get("match")):
        if match is None:
            yield "tcp match may not be nil"
        else:
            yield from _connection(match)
    if not items(route.get("route")):
        yield "TCP route is required"
    yield from destinations(route)
