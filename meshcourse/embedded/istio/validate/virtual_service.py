"""VirtualService."""

from __future__ import annotations

from meshcourse.embedded.istio import hosts
from meshcourse.embedded.istio.build import route_match
from meshcourse.embedded.istio.validate import names, reachability, route_http, route_tcp
from meshcourse.embedded.istio.validate.findings import Findings, Spec, items, pairs
from meshcourse.embedded.istio.validate.item import Item


def check(item: Item) -> Findings:
    """Errors and warnings of a VirtualService."""
    spec = item.spec
    delegate = not items(spec.get("hosts"))
    if delegate:
        yield from _delegate(spec)
    gateways = items(spec.get("gateways"))
    yield from route_tcp.gateway_names(gateways)
    to_gateway = bool(gateways) and "mesh" not in gateways
    if not to_gateway:
        yield from _claims(spec)
    yield from _hosts(spec, to_gateway=to_gateway)
    if not any(items(spec.get(kind)) for kind in ("http", "tcp", "tls")):
        yield "http, tcp or tls must be provided in virtual service"
    for route in items(spec.get("http")):
        yield from route_http.check(route, delegate=delegate)
    for route in items(spec.get("tls")):
        yield from route_tcp.tls(route, spec, to_gateway=to_gateway or not gateways)
    for route in items(spec.get("tcp")):
        yield from route_tcp.tcp(route)
    yield from names.export_to(item.namespace, spec.get("exportTo"))
    for kind in ("http", "tcp", "tls"):
        yield from reachability.check(items(spec.get(kind)), overlaps=kind == "http")


def _delegate(spec: Spec) -> Findings:
    if items(spec.get("gateways")):
        yield "delegate virtual service must have no gateways specified"
    if items(spec.get("tls")):
        yield "delegate virtual service must have no tls route specified"
    if items(spec.get("tcp")):
        yield "delegate virtual service must have no tcp route specified"


def _claims(spec: Spec) -> Findings:
    """Routing by JWT claims works at gateways only."""
    found = " ".join(items(spec.get("gateways")))
    for route in items(spec.get("http")):
        for match in items(route.get("match")):
            for field in ("headers", "withoutHeaders"):
                for key, _ in pairs(match.get(field)):
                    if route_match.claim_path(key):
                        yield (
                            f"JWT claim based routing (key: {key}) is only supported for gateway, "
                            f"found no gateways: [{found}]"
                        )


def _hosts(spec: Spec, *, to_gateway: bool) -> Findings:
    found = [str(one) for one in items(spec.get("hosts"))]
    sni = any(
        match.get("sniHosts")
        for route in items(spec.get("tls"))
        for match in items(route.get("match"))
    )
    valid = True
    for host in found:
        problems = list(
            names.gateway_domain(host, sni=sni) if to_gateway else names.wildcard_domain(host)
        )
        if problems and not names.is_ip(host):
            valid = False
            yield from problems
        elif not problems and not to_gateway and host == "*":
            valid = False
            yield "wildcard host * is not allowed for virtual services bound to the mesh gateway"
    if valid:
        yield from _duplicates(found)


def _duplicates(found: list[str]) -> Findings:
    for number, left in enumerate(found):
        for right in found[number + 1 :]:
            if hosts.matches(left, right):
                yield f"duplicate hosts in virtual service: {left} & {right}"
