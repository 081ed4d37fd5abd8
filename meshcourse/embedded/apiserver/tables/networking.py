"""Rows of services and what is behind and before them. Source: the API server's printers."""

from __future__ import annotations

from meshcourse.embedded.apiserver.tables import columns
from meshcourse.embedded.apiserver.tables.columns import NONE, UNSET, Row
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def service(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [
        columns.name(obj),
        spec.get("type", ""),
        addresses[0] if addresses else NONE,
        _external(obj, spec),
        ",".join(_port(port) for port in spec.get("ports") or ()) or NONE,
        columns.age(obj),
        columns.pairs(spec.get("selector")),
    ]


def _external(obj: Object, spec: Object) -> str:
    external = list(spec.get("externalIPs") or ())
    kind = spec.get("type")
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        return ",".join([*_load_balancer(obj), *external]) or "<pending>"
    return ",".join(external) or NONE


def _load_balancer(obj: Object) -> list[str]:
    """Sorted and without repetition, as the set in the real printer is."""
    ingress = objects.dig(obj, "status.loadBalancer.ingress", ())
    return sorted({each.get("ip") or each.get("hostname") or "" for each in ingress} - {""})


def _port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


SERVICE = columns.printer(
    service, "Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "*Selector"
)


def endpoints(obj: Object) -> Row:
    found = [
        f"{address.get('ip')}:{port.get('port')}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    if not found:
        found = [
            str(address.get("ip"))
            for subset in obj.get("subsets") or ()
            for address in subset.get("addresses") or ()
        ]
    return [columns.name(obj), columns.some(found), columns.age(obj)]


ENDPOINTS = columns.printer(endpoints, "Name", "Endpoints", "Age")


def endpoint_slice(obj: Object) -> Row:
    ports = [
        str(port["port"]) if port.get("port") is not None else "*"
        for port in obj.get("ports") or ()
    ]
    addresses = [
        address
        for endpoint in obj.get("endpoints") or ()
        for address in endpoint.get("addresses") or ()
    ]
    return [
        columns.name(obj),
        obj.get("addressType", ""),
        columns.some(ports, empty=UNSET),
        columns.some(addresses, empty=UNSET),
        columns.age(obj),
    ]


ENDPOINT_SLICE = columns.printer(endpoint_slice, "Name", "AddressType", "Ports", "Endpoints", "Age")


def ingress(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    return [
        columns.name(obj),
        spec.get("ingressClassName") or NONE,
        columns.some(hosts, empty="*"),
        ",".join(_load_balancer(obj)),
        "80, 443" if spec.get("tls") else "80",
        columns.age(obj),
    ]


INGRESS = columns.printer(ingress, "Name", "Class", "Hosts", "Address", "Ports", "Age")


def ingress_class(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    parameters = NONE
    if spec.get("parameters"):
        found = spec["parameters"]
        group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
        parameters = f"{found.get('kind')}{group}/{found.get('name')}"
    return [columns.name(obj), spec.get("controller", ""), parameters, columns.age(obj)]


INGRESS_CLASS = columns.printer(ingress_class, "Name", "Controller", "Parameters", "Age")


def network_policy(obj: Object) -> Row:
    selected = columns.selector(objects.dig(obj, "spec.podSelector"))
    return [columns.name(obj), selected, columns.age(obj)]


NETWORK_POLICY = columns.printer(network_policy, "Name", "Pod-Selector", "Age")


def ip_address(obj: Object) -> Row:
    parent = objects.dig(obj, "spec.parentRef", {})
    steps = (parent.get(key) for key in ("resource", "namespace", "name"))
    return [columns.name(obj), "/".join(step for step in steps if step), columns.age(obj)]


IP_ADDRESS = columns.printer(ip_address, "Name", "ParentRef", "Age")


def service_cidr(obj: Object) -> Row:
    ranges = ",".join(objects.dig(obj, "spec.cidrs", ()))
    return [columns.name(obj), ranges, columns.age(obj)]


SERVICE_CIDR = columns.printer(service_cidr, "Name", "CIDRs", "Age")
