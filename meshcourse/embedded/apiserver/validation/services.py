"""Rules for Service, Endpoints and EndpointSlice. Source: Kubernetes' core and discovery validation.

Unlike on a real cluster endpoints may be loopback addresses: here all pods live on them.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.report import IMMUTABLE, Report
from meshcourse.embedded.apiserver.validation import meta, names
from meshcourse.embedded.apiserver.validation.containers import PROTOCOLS
from meshcourse.embedded.kube.objects import Object

TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_BAD_IP: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_EXPOSED: Final = ("NodePort", "LoadBalancer")


def service(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    kind = spec.get("type") or ""
    headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and not headless and kind != "ExternalName":
        report.required("spec.ports")
    _by_type(report, spec, kind, headless=headless)
    _ports(report, spec)
    meta.check_labels(report, "spec.selector", spec.get("selector"))
    affinities = ("ClientIP", "None")
    report.one_of("spec.sessionAffinity", spec.get("sessionAffinity"), affinities, required=True)
    _addresses(report, spec)
    report.one_of("spec.type", kind, TYPES, required=True)
    _traffic(report, spec, kind)
    if old is not None:
        _update(report, spec, old.get("spec") or {})


def _by_type(report: Report, spec: Object, kind: str, *, headless: bool) -> None:
    if kind == "LoadBalancer" and headless:
        report.invalid(
            "spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"
        )
    if kind == "NodePort" and headless:
        report.invalid(
            "spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services"
        )
    if kind == "ExternalName":
        if spec.get("clusterIP"):
            report.forbidden("spec.clusterIPs", "may not be set for ExternalName services")
        name = (spec.get("externalName") or "").removesuffix(".")
        if not name:
            report.required("spec.externalName")
        else:
            report.invalids("spec.externalName", name, names.dns1123_subdomain(name))


def _ports(report: Report, spec: Object) -> None:
    ports = spec.get("ports") or ()
    seen_names: set[str] = set()
    seen: set[tuple[str, Any]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        _port_name(report, path, port, seen_names, required=len(ports) > 1)
        report.one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS, required=True)
        report.invalids(f"{path}.port", port.get("port", 0), names.port_number(port.get("port", 0)))
        _target(report, f"{path}.targetPort", port.get("targetPort"))
        if port.get("nodePort") and spec.get("type") not in _EXPOSED:
            kind = spec.get("type")
            report.forbidden(f"{path}.nodePort", f"may not be used when `type` is '{kind}'")
        key = port.get("protocol", ""), port.get("port")
        if key in seen:
            report.duplicate(path, _shown(port))
        seen.add(key)


def _port_name(report: Report, path: str, port: Object, seen: set[str], *, required: bool) -> None:
    name = port.get("name") or ""
    if not name:
        if required:
            report.required(f"{path}.name")
        return
    report.invalids(f"{path}.name", name, names.dns1123_label(name))
    if name in seen:
        report.duplicate(f"{path}.name", name)
    seen.add(name)


def _target(report: Report, path: str, target: Any) -> None:
    if isinstance(target, str):
        report.invalids(path, target, names.port_name(target))
    elif target is not None:
        report.invalids(path, target, names.port_number(target))


def _shown(port: Object) -> Object:
    """As the API server's internal type marshals: what makes two ports the same."""
    return {
        "Name": "",
        "Protocol": port.get("protocol", ""),
        "AppProtocol": None,
        "Port": port.get("port"),
        "TargetPort": 0,
        "NodePort": 0,
    }


def _addresses(report: Report, spec: Object) -> None:
    address = spec.get("clusterIP") or ""
    if address not in ("", "None") and not is_address(address):
        report.invalid("spec.clusterIPs[0]", address, _BAD_IP)
    listed = spec.get("clusterIPs") or ()
    if listed and listed[0] != address:
        report.invalid("spec.clusterIPs", list(listed), "first value must match `clusterIP`")
    for index, each in enumerate(spec.get("externalIPs") or ()):
        if not is_address(each):
            report.invalid(f"spec.externalIPs[{index}]", each, _BAD_IP)


def is_address(text: str, version: int | None = None) -> bool:
    """Whether `text` is an IP address (of that version, if given)."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return version is None or found.version == version


def _traffic(report: Report, spec: Object, kind: str) -> None:
    policies = ("Cluster", "Local")
    external = spec.get("externalTrafficPolicy")
    if external is not None:
        if kind not in _EXPOSED and not spec.get("externalIPs"):
            text = "may only be set for externally-accessible services"
            report.invalid("spec.externalTrafficPolicy", external, text)
        report.one_of("spec.externalTrafficPolicy", external, policies)
    report.one_of("spec.internalTrafficPolicy", spec.get("internalTrafficPolicy"), policies)


def _update(report: Report, new: Object, old: Object) -> None:
    kept = new.get("type") != "ExternalName" and old.get("type") != "ExternalName"
    before, after = old.get("clusterIP") or "", new.get("clusterIP") or ""
    if kept and before and after and before != after:
        report.invalid("spec.clusterIPs[0]", after, "may not change once set")


def endpoints(report: Report, new: Object, old: Object | None) -> None:
    for index, subset in enumerate(new.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            report.required(path, "must specify `addresses` or `notReadyAddresses`")
        for field in ("addresses", "notReadyAddresses"):
            for at, address in enumerate(subset.get(field) or ()):
                if not is_address(address.get("ip") or ""):
                    report.invalid(f"{path}.{field}[{at}].ip", address.get("ip") or "", _BAD_IP)
        _endpoint_ports(report, f"{path}.ports", subset.get("ports") or ())


def _endpoint_ports(report: Report, path: str, ports: Any) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name") or ""
        if name:
            report.invalids(f"{here}.name", name, names.dns1123_label(name))
        elif len(ports) > 1 and path.startswith("subsets"):
            report.required(f"{here}.name")
        if name in seen:
            report.duplicate(f"{here}.name", name)
        seen.add(name)
        if port.get("port") is not None:
            report.invalids(f"{here}.port", port["port"], names.port_number(port["port"]))
        report.one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS, required=True)


def endpoint_slice(report: Report, new: Object, old: Object | None) -> None:
    kind = new.get("addressType") or ""
    report.one_of("addressType", kind, ("FQDN", "IPv4", "IPv6"), required=True)
    found = new.get("endpoints") or ()
    if len(found) > 1000:
        report.too_many("endpoints", len(found), 1000)
    for index, endpoint in enumerate(found):
        path = f"endpoints[{index}]"
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            report.required(f"{path}.addresses", "must contain at least 1 endpoint")
        elif len(addresses) > 100:
            report.too_many(f"{path}.addresses", len(addresses), 100)
        for at, address in enumerate(addresses):
            _slice_address(report, f"{path}.addresses[{at}]", address, kind)
    _endpoint_ports(report, "ports", new.get("ports") or ())
    if old is not None and kind != old.get("addressType"):
        report.invalid("addressType", kind, IMMUTABLE)


def _slice_address(report: Report, path: str, address: str, kind: str) -> None:
    if kind in ("IPv4", "IPv6"):
        if not is_address(address, int(kind[-1])):
            report.invalid(path, address, f"must be an {kind} address")
    elif kind == "FQDN":
        report.invalids(path, address, names.dns1123_subdomain(address))
