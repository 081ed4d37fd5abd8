"""ServiceEntry."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio import hosts as host_names
from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import Protocol
from meshcourse.embedded.istio.validate import names, workload
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, quoted
from meshcourse.embedded.istio.validate.item import Item

_DYNAMIC_PROTOCOLS: Final = (Protocol.HTTP, Protocol.TLS, Protocol.GRPC, Protocol.HTTP2)
_NO_ADDRESS: Final = (
    "addresses are required for ports serving TCP (or unset) protocol "
    "when IP Autoallocation is not enabled"
)


def check(item: Item) -> Findings:
    """Errors and warnings of a ServiceEntry."""
    spec, resolution = item.spec, str(item.spec.get("resolution") or "NONE")
    for found in names.selector(spec.get("workloadSelector"), field="labels"):
        if not isinstance(found, Warn):
            yield found
            return
        yield Warn(f"service entry: {found}, will be applied to all services in namespace")
    if spec.get("workloadSelector") is not None and spec.get("endpoints") is not None:
        yield "only one of WorkloadSelector or Endpoints is allowed in Service Entry"
    yield from _hosts(spec, resolution)
    yield from _addresses(spec, resolution)
    yield from _ports(spec, automatic=_allocates(item, resolution))
    yield from _RESOLUTIONS.get(resolution, _unsupported)(spec, resolution)
    yield from _many_hosts(spec, resolution)
    yield from names.export_to(item.namespace, spec.get("exportTo"), service_entry=True)


def _allocates(item: Item, resolution: str) -> bool:
    """Whether istiod would allocate an address by itself (the default for resolutions but NONE)."""
    label = str(item.annotations.get("networking.istio.io/enable-autoallocate-ip", ""))
    wild = any(host_names.wild(str(one)) for one in items(item.spec.get("hosts")))
    return label.lower() != "false" and resolution != "NONE" and not wild


def _hosts(spec: Spec, resolution: str) -> Findings:
    if not items(spec.get("hosts")):
        yield "service entry must have at least one host"
    for host in items(spec.get("hosts")):
        if host == "*":
            yield f"invalid host {host}"
            continue
        yield from names.wildcard_domain(host)
        if resolution != "DYNAMIC_DNS":
            yield from (Warn(one) for one in names.partial_wildcard(host))


def _addresses(spec: Spec, resolution: str) -> Findings:
    found = [str(one) for one in items(spec.get("addresses"))]
    for address in found:
        yield from names.subnet(address)
    if any("/" in one for one in found) and resolution not in ("NONE", "STATIC"):
        yield "CIDR addresses are allowed only for NONE/STATIC resolution types"


def _ports(spec: Spec, *, automatic: bool) -> Findings:
    seen_names: set[str] = set()
    seen_numbers: set[int] = set()
    for port in items(spec.get("ports")):
        if port is None:
            yield "service entry port may not be null"
            continue
        name, number = port.get("name") or "", int(port.get("number") or 0)
        if name in seen_names:
            yield f"service entry port name {quoted(name)} already defined"
        if number in seen_numbers:
            yield f"service entry port {number} already defined"
        seen_names.add(name)
        seen_numbers.add(number)
        if port.get("targetPort"):
            yield from names.port(port["targetPort"])
        if (
            not automatic
            and not spec.get("addresses")
            and port.get("protocol") in (None, "", "TCP")
        ):
            yield Warn(_NO_ADDRESS)
        yield from names.port_name(name)
        yield from names.protocol(port.get("protocol") or "")
        yield from names.port(number)


def _endpoints(spec: Spec) -> list[Spec]:
    return items(spec.get("endpoints"))


def _port_names(spec: Spec) -> set[str]:
    return {one.get("name") or "" for one in items(spec.get("ports")) if one}


def _none(spec: Spec, _: str) -> Findings:
    if _endpoints(spec):
        yield "no endpoints should be provided for resolution type none"
    if spec.get("workloadSelector") is not None:
        yield Warn("workloadSelector should not be set when resolution mode is NONE")


def _static(spec: Spec, _: str) -> Findings:
    for endpoint in _endpoints(spec):
        if endpoint is None:
            yield "endpoint cannot be nil"
        else:
            yield from workload.of_service(endpoint, _port_names(spec), allow_names=False)


def _dns(spec: Spec, resolution: str) -> Findings:
    endpoints = _endpoints(spec)
    if not endpoints:
        problems = (one for host in items(spec.get("hosts")) for one in names.fqdn(host))
        if problem := next(problems, None):
            yield (
                "hosts must be FQDN or contain only prefix wildcards if no endpoints are "
                f"provided for resolution mode {resolution}, {problem}"
            )
    if resolution == "DNS_ROUND_ROBIN" and len(endpoints) > 1:
        yield f"there must only be 0 or 1 endpoint for resolution mode {resolution}"
    for endpoint in endpoints:
        yield from _dns_endpoint(endpoint, spec)
    tcp = any(not (_is_http(one)) for one in _protocols(spec))
    if spec.get("addresses") and tcp and len(items(spec.get("hosts"))) > 1:
        yield Warn(
            "service entry can not have more than one host specified "
            "simultaneously with address and tcp port"
        )


def _dns_endpoint(endpoint: Spec | None, spec: Spec) -> Findings:
    if endpoint is None:
        yield "endpoint cannot be nil"
        return
    address = str(endpoint.get("address") or "")
    if not names.is_ip(address) and list(names.fqdn(address)):
        yield f"endpoint address {quoted(address)} is not a valid FQDN or an IP address"
    yield from names.labels(endpoint.get("labels"))
    yield from workload.endpoint_ports(endpoint, _port_names(spec))


def _dynamic(spec: Spec, resolution: str) -> Findings:
    if not items(spec.get("hosts")):
        yield f"at least one wildcard host must be provided for resolution type {resolution}"
    for host in items(spec.get("hosts")):
        if not host_names.wild(host):
            yield f"host must be wildcarded for resolution mode {resolution}"
    if spec.get("addresses"):
        yield (
            f"addresses cannot be set for resolution type {resolution}. "
            "HTTP route domains will only be generatedfrom the hosts field values"
        )
    if spec.get("endpoints"):
        yield (
            f"endpoints cannot be set for resolution type {resolution}. "
            "Destination IP address determined from hostsfield values"
        )
    for protocol in _protocols(spec):
        if protocol not in _DYNAMIC_PROTOCOLS:
            yield (
                "only HTTP, TLS, GRPC, and HTTP2 protocols are supported "
                f"for resolution type {resolution}"
            )


def _unsupported(_: Spec, resolution: str) -> Findings:
    yield f"unsupported resolution type {resolution}"


_RESOLUTIONS: Final = {
    "NONE": _none,
    "STATIC": _static,
    "DNS": _dns,
    "DNS_ROUND_ROBIN": _dns,
    "DYNAMIC_DNS": _dynamic,
}


def _protocols(spec: Spec) -> list[Protocol]:
    return [
        protocols.parse(str(one.get("protocol") or ""))
        for one in items(spec.get("ports"))
        if one is not None
    ]


def _is_http(protocol: Protocol) -> bool:
    return protocol.http and protocol is not Protocol.AUTO


def _many_hosts(spec: Spec, resolution: str) -> Findings:
    """Several hosts can only be told apart by authority or server name."""
    if resolution == "NONE" or len(items(spec.get("hosts"))) < 2:
        return
    if any(not _is_http(one) and not one.tls for one in _protocols(spec)):
        yield "multiple hosts provided with non-HTTP, non-TLS ports"
