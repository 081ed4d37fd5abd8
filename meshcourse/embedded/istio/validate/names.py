"""Names, hosts, ports, labels, durations: the checks that all kinds share.

Source: pilot's pkg/config/validation (agent) and pkg/config/labels; the messages are those that a
user of Istio sees.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import Protocol
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, pairs, quoted

_LABEL: Final = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_DNS_LABEL: Final = re.compile(_LABEL)
_WILDCARD_LABEL: Final = re.compile(rf"\*|(?:\*-?)?{_LABEL}")
_QUALIFIED: Final = r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_TAG_KEY: Final = re.compile(rf"({_LABEL}(?:\.{_LABEL})*/)?({_QUALIFIED})")
_TAG_VALUE: Final = re.compile(rf"({_QUALIFIED})?")
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 255
_SNI_PREFIX: Final = "outbound_"
_SNI_FORMAT: Final = "outbound_.<PORT>_._.<HOSTNAME>"


def is_label(text: str) -> bool:
    """Whether the text is a DNS label."""
    return len(text) <= _LONGEST_LABEL and bool(_DNS_LABEL.fullmatch(text))


def is_ip(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _length(name: str) -> Findings:
    if len(name) > _LONGEST_NAME:
        yield f"domain name {quoted(name)} too long (max 255)"
    elif not name:
        yield "empty domain name not allowed"


def _labels_of(domain: str) -> Findings:
    parts = domain.split(".")
    if parts[-1].lstrip("+-").isdigit():
        yield (
            f"domain name {quoted(domain)} invalid "
            f"(top level domain {quoted(parts[-1])} cannot be all-numeric)"
        )
        return
    for number, label in enumerate(parts):
        if number == len(parts) - 1 and not label:
            return
        if not is_label(label):
            yield f"domain name {quoted(domain)} invalid (label {quoted(label)} invalid)"
            return


def fqdn(name: str) -> Findings:
    """A domain name without wildcards."""
    found = list(_length(name))
    yield from found or _labels_of(name)


def wildcard_domain(name: str) -> Findings:
    """A domain name whose first label may be a wildcard."""
    if found := list(_length(name)):
        yield from found
        return
    first, _, rest = name.partition(".")
    if len(first) > _LONGEST_LABEL or not _WILDCARD_LABEL.fullmatch(first):
        yield f"domain name {quoted(name)} invalid (label {quoted(first)} invalid)"
    elif "." in name:
        yield from _labels_of(rest)


def gateway_domain(name: str, *, sni: bool) -> Findings:
    """A host of a VirtualService bound to a gateway: may be one of Istio's own server names
    (`sni`).
    """
    if not (sni and name.startswith(_SNI_PREFIX)):
        yield from wildcard_domain(name)
        return
    parts = name.split("_")
    if len(parts) < 4:
        yield f"domain name {name} invalid, should follow '{_SNI_FORMAT}' format"
        return
    for part, pattern in ((parts[1].strip("."), r"[0-9]"), (parts[3].strip("."), r"[a-zA-Z]")):
        if not re.search(pattern, part):
            yield (
                f"domain name {quoted(name)} invalid (label {quoted(part)} invalid). "
                f"should follow {_SNI_FORMAT} format"
            )
            return


def partial_wildcard(host: str) -> Findings:
    """``*`` may only be a whole label."""
    if "*" in host and len(host) != 1 and not host.startswith("*."):
        yield f"partial wildcard {quoted(host)} not allowed"


def namespaced_host(text: str, *, gateway: bool) -> Findings:
    """``namespace/host`` of a Gateway server or a Sidecar's egress."""
    namespace, slash, host = text.partition("/")
    if not slash:
        if gateway:
            yield from _host_part(text, gateway=True)
        else:
            yield "host must be of form namespace/dnsName"
        return
    if not namespace or not host:
        yield "config namespace and dnsName in host entry cannot be empty"
    special = ("*", ".") if gateway else ("*", ".", "~")
    if namespace not in special and not is_label(namespace):
        yield f"invalid namespace value {quoted(namespace)} in {'gateway' if gateway else 'sidecar'}"
    yield from _host_part(host, gateway=gateway)


def _host_part(host: str, *, gateway: bool) -> Findings:
    if host != "*" and "." not in host:
        yield "short names (non FQDN) are not allowed"
    found = list(wildcard_domain(host))
    if found and not gateway:
        yield from found
    if found and not is_ip(host):
        yield from found
    yield from partial_wildcard(host)


def port(number: Any) -> Findings:
    """A TCP port."""
    value = int(number or 0)
    if not 1 <= value <= 65535:
        yield f"port number {value} must be in the range 1..65535"


def port_name(name: str) -> Findings:
    """The name of a ServiceEntry's or Sidecar's port."""
    if not is_label(name):
        yield f"invalid port name: {name}"


def protocol(name: str) -> Findings:
    """A protocol's name; empty is allowed (it is detected then)."""
    if name and protocols.parse(name) is Protocol.AUTO:
        yield f"unsupported protocol: {name}"


def ip_address(text: str) -> Findings:
    """An IP address."""
    if not is_ip(text):
        yield f"{text} is not a valid IP"


def subnet(text: str) -> Findings:
    """An IP address or CIDR block."""
    if text.count("/") != 1:
        yield from ip_address(text)
        return
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        yield f"{text} is not a valid CIDR block"


def duration(text: Any) -> Findings:
    """A duration of at least 1 ms, in whole milliseconds. Absent ones pass."""
    if text is None:
        return
    microseconds = round(durations.seconds(str(text)) * 1_000_000)
    if microseconds < 1000:
        yield "duration must be greater than 1ms"
    elif microseconds % 1000:
        yield "only durations to ms precision are supported"


def labels(found: Any) -> Findings:
    """Keys and values of Kubernetes labels."""
    for key, value in pairs(found):
        match = _TAG_KEY.fullmatch(key)
        if match is None:
            yield f"invalid tag key: {quoted(key)}"
        elif match[1] and len(match[1]) > 254:
            yield f"invalid tag key: {quoted(key)} (DNS prefix is too long)"
        elif len(match[2]) > _LONGEST_LABEL:
            yield f"invalid tag key: {quoted(key)} (name is too long)"
        if not _TAG_VALUE.fullmatch(str(value)):
            yield f"invalid tag value: {quoted(value)}"


def selector(found: Any, *, field: str = "matchLabels") -> Findings:
    """A workload selector: ``matchLabels``, or ``labels`` in the older kinds."""
    if found is None:
        return
    pairs_of = found.get(field) or {}
    for key, value in pairs_of.items():
        text = quoted(f"{key}={value}")
        if not key:
            yield f"empty key is not supported in selector: {text}"
        if "*" in key or "*" in str(value):
            yield f"wildcard is not supported in selector: {text}"
    if not pairs_of:
        yield Warn("workload selector specified without labels")


def export_to(
    namespace: str, values: Any, *, service_entry: bool = False, selected: bool = False
) -> Findings:
    """``exportTo``. `selected`: a DestinationRule with a workload selector, which only its
    namespace may see.
    """
    seen: set[str] = set()
    for value in items(values):
        key = namespace if value == "." else value
        if key in seen:
            yield (
                f"duplicate entries in exportTo: . and current namespace {namespace}"
                if key != value
                else f"duplicate entries in exportTo for entry {value}"
            )
            continue
        problem = "" if service_entry and value == "~" else _visibility(key)
        if problem:
            yield problem
        else:
            seen.add(key)
    yield from _export_scope(namespace, seen, len(items(values)), selected=selected)


def _visibility(value: str) -> str:
    if value in (".", "*"):
        return ""
    if value == "~":
        return "exportTo ~ (none) is not allowed for Istio configuration objects"
    if is_label(value):
        return ""
    return "only .,*, or a valid DNS 1123 label is allowed as exportTo entry"


def _export_scope(namespace: str, seen: set[str], count: int, *, selected: bool) -> Findings:
    if selected and seen:
        if namespace not in seen:
            yield "destination rule with workload selector cannot have exportTo beyond current namespace"
        elif len(seen) > 1:
            yield "destination rule with workload selector cannot have multiple entries in exportTo"
    if "*" in seen and count > 1:
        yield "cannot have both public (*) and non-public exportTo values for a resource"
    if "~" in seen and count > 1:
        yield "cannot export service entry to no one (~) and someone"


_TARGETS: Final = frozenset(
    (
        ("core", "Service"),
        ("networking.istio.io", "ServiceEntry"),
        ("gateway.networking.k8s.io", "Gateway"),
        ("gateway.networking.k8s.io", "GatewayClass"),
    )
)
_TARGETS_TEXT: Final = (
    "[core/v1/Service networking.istio.io/v1/ServiceEntry gateway.networking.k8s.io/v1/Gateway "
    "gateway.networking.k8s.io/v1/GatewayClass]"
)


def targets(spec: Spec) -> Findings:
    """``selector``, ``targetRef`` and ``targetRefs`` of a policy: at most one, well formed."""
    references = items(spec.get("targetRefs"))
    one = spec.get("targetRef")
    given = (spec.get("selector") is not None, one is not None, bool(references))
    if sum(given) > 1:
        yield "only one of targetRefs or workloadSelector can be set"
    yield from selector(spec.get("selector"))
    for reference in [*([one] if one else []), *references]:
        yield from _target(reference)


def _target(reference: Spec) -> Findings:
    if not reference.get("name"):
        yield "targetRef name must be set"
    if reference.get("namespace"):
        yield "targetRef namespace must not be set; cross namespace referencing is not supported"
    group, kind = reference.get("group") or "", reference.get("kind") or ""
    if (group or "core", kind) not in _TARGETS:
        yield f"targetRef must be to one of {_TARGETS_TEXT} but was {group}/{kind}"


def percent(value: Any) -> Findings:
    """A whole percentage."""
    number = int(value or 0)
    if not 0 <= number <= 100:
        yield f"percentage {number} is not in range 0..100"


def percentage(value: Any) -> Findings:
    """A ``Percent`` message: 0, or between 0.0001 and 100."""
    if value is None:
        return
    number = float(value.get("value") or 0)
    if number < 0 or number > 100 or 0 < number < 0.0001:
        yield f"percentage {number:g} is neither 0.0, nor in range [0.0001, 100.0]"
