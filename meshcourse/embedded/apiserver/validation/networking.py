"""Rules for Ingress, IngressClass and NetworkPolicy. Source: Kubernetes' networking validation."""

from __future__ import annotations

import ipaddress
from typing import Any

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import meta, names
from meshcourse.embedded.apiserver.validation.containers import PROTOCOLS
from meshcourse.embedded.kube.objects import Object

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def ingress(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        text = "either `defaultBackend` or `rules` must be specified"
        report.invalid("spec", spec.get("rules") or [], text)
    if spec.get("defaultBackend") is not None:
        _backend(report, "spec.defaultBackend", spec["defaultBackend"])
    name = spec.get("ingressClassName")
    if name:
        report.invalids("spec.ingressClassName", name, names.dns1123_subdomain(name))
    for index, rule in enumerate(spec.get("rules") or ()):
        _rule(report, f"spec.rules[{index}]", rule)


def _rule(report: Report, path: str, rule: Object) -> None:
    host = rule.get("host") or ""
    if host:
        check = names.wildcard_subdomain if "*" in host else names.dns1123_subdomain
        report.invalids(f"{path}.host", host, check(host))
    if rule.get("http") is None:
        return
    paths = rule["http"].get("paths") or ()
    if not paths:
        report.required(f"{path}.http.paths")
    for index, each in enumerate(paths):
        _path(report, f"{path}.http.paths[{index}]", each)


def _path(report: Report, path: str, found: Object) -> None:
    kind, value = found.get("pathType") or "", found.get("path") or ""
    if not kind:
        report.required(f"{path}.pathType", "pathType must be specified")
    elif kind not in _PATH_TYPES:
        report.not_supported(f"{path}.pathType", kind, _PATH_TYPES)
    elif not value.startswith("/") and (value or kind != "ImplementationSpecific"):
        report.invalid(f"{path}.path", value, "must be an absolute path")
    _backend(report, f"{path}.backend", found.get("backend") or {})


def _backend(report: Report, path: str, backend: Object) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        report.invalid(path, "", "cannot set both resource and service backends")
    elif service is not None:
        name, port = service.get("name") or "", service.get("port") or {}
        if not name:
            report.required(f"{path}.service.name")
        else:
            report.invalids(f"{path}.service.name", name, names.dns1035_label(name))
        _port(report, f"{path}.service.port", port)
    elif resource is None:
        report.required(path, "port name or number is required")


def _port(report: Report, path: str, port: Object) -> None:
    name, number = port.get("name"), port.get("number")
    if name and number:
        report.invalid(path, "", "cannot set both port name & port number")
    elif name:
        report.invalids(f"{path}.name", name, names.port_name(name))
    elif number:
        report.invalids(f"{path}.number", number, names.port_number(number))
    else:
        report.required(path, "port name or number is required")


def ingress_class(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    controller = spec.get("controller") or ""
    if not controller:
        report.required("spec.controller")
    if old is not None:
        report.immutable("spec.controller", controller, (old.get("spec") or {}).get("controller"))


def network_policy(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    meta.selector(report, "spec.podSelector", spec.get("podSelector"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            _policy_ports(report, f"{path}.ports", rule.get("ports") or ())
            for at, peer in enumerate(rule.get(peers) or ()):
                _peer(report, f"{path}.{peers}[{at}]", peer)
    for index, kind in enumerate(spec.get("policyTypes") or ()):
        report.one_of(f"spec.policyTypes[{index}]", kind, ("Egress", "Ingress"))


def _policy_ports(report: Report, path: str, ports: Any) -> None:
    for index, port in enumerate(ports):
        report.one_of(f"{path}[{index}].protocol", port.get("protocol"), PROTOCOLS)
        number = port.get("port")
        if isinstance(number, int):
            report.invalids(f"{path}[{index}].port", number, names.port_number(number))
        elif isinstance(number, str):
            report.invalids(f"{path}[{index}].port", number, names.port_name(number))


def _peer(report: Report, path: str, peer: Object) -> None:
    if not any(
        peer.get(field) is not None for field in ("podSelector", "namespaceSelector", "ipBlock")
    ):
        report.required(path, "must specify a peer")
    if peer.get("ipBlock") is not None:
        if peer.get("podSelector") is not None or peer.get("namespaceSelector") is not None:
            report.forbidden(path, "may not specify both ipBlock and another peer")
        cidr = peer["ipBlock"].get("cidr") or ""
        if not cidr:
            report.required(f"{path}.ipBlock.cidr")
        elif not _is_range(cidr):
            text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            report.invalid(f"{path}.ipBlock.cidr", cidr, text)
    for field in ("podSelector", "namespaceSelector"):
        meta.selector(report, f"{path}.{field}", peer.get(field))


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return "/" in text
