"""WorkloadEntry and WorkloadGroup."""

from __future__ import annotations

import re
from typing import Final

from meshcourse.embedded.istio.validate import names
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, pairs, quoted
from meshcourse.embedded.istio.validate.item import Item

_UNIX: Final = "unix://"
_PROBE_HEADER: Final = re.compile(r"[-A-Za-z0-9]+")


def entry(item: Item) -> Findings:
    """A WorkloadEntry object."""
    yield from of_service(item.spec, None, allow_names=True)


def of_service(spec: Spec, ports: set[str] | None, *, allow_names: bool) -> Findings:
    """An endpoint; `ports` are the names of the ServiceEntry's ports, None outside of one."""
    address = str(spec.get("address") or "")
    if not address:
        if not spec.get("network"):
            yield "address is required"
            return
        yield Warn(f"address is unset with network {quoted(spec['network'])}")
    is_socket = address.startswith(_UNIX)
    if is_socket:
        yield from _socket(address, spec)
    elif address and not names.is_ip(address):
        yield from _name(address, allow_names=allow_names)
    yield from endpoint_ports(spec, ports)
    yield from names.labels(spec.get("labels"))
    if is_socket and ports is not None and len(ports) != 1:
        yield "exactly 1 service port required for unix endpoints"


def _socket(address: str, spec: Spec) -> Findings:
    path = address.removeprefix(_UNIX)
    if not path:
        yield "unix address must not be empty"
    elif not path.startswith("@") and (not path.startswith("/") or path.endswith("/")):
        yield f"{path} is not an absolute path to a file"
    if spec.get("ports"):
        yield f"unix endpoint {address} must not include ports"


def _name(address: str, *, allow_names: bool) -> Findings:
    if not allow_names:
        yield f"endpoint address {quoted(address)} is not a valid IP address"
    elif list(names.fqdn(address)):
        yield f"endpoint address {quoted(address)} is not a valid FQDN or an IP address"


def endpoint_ports(spec: Spec, ports: set[str] | None) -> Findings:
    """``ports`` of an endpoint."""
    for name, port in pairs(spec.get("ports")):
        if ports is not None and name not in ports:
            yield f"endpoint port {port} is not defined by the service entry"
        yield from names.port_name(name)
        yield from names.port(port)


def group(item: Item) -> Findings:
    """A WorkloadGroup object."""
    if item.spec.get("template") is None:
        yield "template is required"
        return
    problems = list(names.labels((item.spec.get("metadata") or {}).get("labels")))
    if problems:
        yield f"invalid labels: {problems[0]}"
        return
    if item.spec.get("probe") is not None:
        yield from _probe(item.spec["probe"])


def _probe(probe: Spec) -> Findings:
    for field in (
        "periodSeconds",
        "initialDelaySeconds",
        "timeoutSeconds",
        "successThreshold",
        "failureThreshold",
    ):
        if (probe.get(field) or 0) < 0:
            yield f"{field} must be non-negative"
    if probe.get("httpGet") is not None:
        yield from _http(probe["httpGet"])
    elif probe.get("tcpSocket") is not None:
        yield from names.port(probe["tcpSocket"].get("port"))
    elif probe.get("exec") is not None:
        if not items(probe["exec"].get("command")):
            yield "exec.command is required"
    else:
        yield "unknown health check method <nil>"


def _http(get: Spec) -> Findings:
    yield from names.port(get.get("port"))
    if get.get("scheme") not in (None, "", "HTTP", "HTTPS"):
        yield 'httpGet.scheme must be one of "HTTPS", "HTTP"'
    for header in items(get.get("httpHeaders")):
        name = (header or {}).get("name") or ""
        if not name:
            yield "header name cannot be empty"
        elif not _PROBE_HEADER.fullmatch(name):
            yield f"header name {name} is not a valid header name"
