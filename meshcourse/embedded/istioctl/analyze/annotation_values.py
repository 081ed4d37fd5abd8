"""What the values of Istio's annotations may be. Each function returns a problem, or ""."""

from __future__ import annotations

import ipaddress

import yaml

from meshcourse.embedded.kube import quantities

_TRUE_OR_FALSE = frozenset(
    ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"]
)
_MODES = ("REDIRECT", "TPROXY", "NONE")


def interception_mode(value: str) -> str:
    return "" if value in _MODES else f"interceptionMode invalid, use REDIRECT,TPROXY,NONE: {value}"


def _unsigned(value: str, bits: int) -> str:
    """As Go's ParseUint words it."""
    quoted = f'strconv.ParseUint: parsing "{value}"'
    if not value.isdecimal() or not value.isascii():
        return f"{quoted}: invalid syntax"
    return "" if int(value) < 2**bits else f"{quoted}: value out of range"


def unsigned(value: str) -> str:
    return _unsigned(value, 32)


def _port(value: str) -> str:
    problem = _unsigned(value.strip(), 16)
    return f"failed parsing port '{value}': {problem}" if problem else ""


def status_port(value: str) -> str:
    """Real Istio names another parameter here, too."""
    problem = _port(value)
    return f"excludeInboundPorts invalid: {problem}" if problem else ""


def _ports(parameter: str, value: str) -> str:
    for one in value.strip().split(",") if value.strip() else ():
        problem = _port(one)
        if problem:
            return f"{parameter} invalid: failed parsing port '{one}': {problem}"
    return ""


def include_inbound_ports(value: str) -> str:
    return "" if value == "*" else _ports("includeInboundPorts", value)


def exclude_inbound_ports(value: str) -> str:
    return _ports("excludeInboundPorts", value)


def exclude_outbound_ports(value: str) -> str:
    return _ports("excludeOutboundPorts", value)


def _ranges(parameter: str, value: str) -> str:
    for one in value.split(",") if value else ():
        problem = _prefix(one)
        if problem:
            return f"{parameter} invalid: failed parsing cidr '{one}': {problem}"
    return ""


def _prefix(value: str) -> str:
    """As Go's netip.ParsePrefix words it."""
    address, slash, _ = value.partition("/")
    quoted = f'netip.ParsePrefix("{value}")'
    if not slash:
        return f"{quoted}: no '/'"
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return f'{quoted}: ParseAddr("{address}"): unable to parse IP'
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"{quoted}: prefix length out of range"
    return ""


def include_ranges(value: str) -> str:
    return "" if value == "*" else _ranges("includeIPRanges", value)


def exclude_ranges(value: str) -> str:
    return _ranges("excludeIPRanges", value)


def boolean(value: str) -> str:
    if value in _TRUE_OR_FALSE:
        return ""
    return f'strconv.ParseBool: parsing "{value}": invalid syntax'


def quantity(value: str) -> str:
    try:
        quantities.parse(value)
    except ValueError:
        return (
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return ""


def proxy_config(value: str) -> str:
    """YAML of a ProxyConfig."""
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError as error:
        return f"failed to convert to apply proxy config: {' '.join(str(error).split())}"
    if found is not None and not isinstance(found, dict):
        return "failed to convert to apply proxy config: not a mapping"
    return ""
