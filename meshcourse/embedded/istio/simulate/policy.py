"""Envoy's RBAC engine: who may do what. Source: Envoy's API reference of RBAC (v3)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from meshcourse.embedded.istio.build import filters
from meshcourse.embedded.istio.simulate import matching
from meshcourse.embedded.istio.simulate.outcome import Request

Json = Mapping[str, Any]


def denial(per_filter: Json, request: Request, port: int) -> str:
    """Why the policies of a route deny a request; "" if they do not.

    :param per_filter: ``typed_per_filter_config``.
    :param port: the port of the workload.
    """
    denied = _rules(per_filter, filters.RBAC_DENY)
    for name, policy in (denied.get("policies") or {}).items():
        if _applies(policy, request, port):
            return f"denied by {name}"
    if filters.RBAC_ALLOW not in per_filter:
        return ""
    allowed = _rules(per_filter, filters.RBAC_ALLOW)
    if not allowed or any(_applies(one, request, port) for one in allowed["policies"].values()):
        return ""
    return "no ALLOW policy matched"


def network_denial(network_filters: list[Json], request: Request, port: int) -> str:
    """Why the network filters in front of a TCP port close a connection; "" if they do not."""
    for found in network_filters:
        rules = (found["typed_config"].get("rules") or {}) if "rbac" in found["name"] else {}
        if not rules or rules.get("action") == "LOG":
            continue
        matched = [name for name, one in rules["policies"].items() if _applies(one, request, port)]
        if rules["action"] == "DENY" and matched:
            return f"denied by {matched[0]}"
        if rules["action"] == "ALLOW" and not matched:
            return "no ALLOW policy matched"
    return ""


def _rules(per_filter: Json, name: str) -> Json:
    found: Json = ((per_filter.get(name) or {}).get("rbac") or {}).get("rules") or {}
    return found


def _applies(policy: Json, request: Request, port: int) -> bool:
    permitted = any(_permission(one, request, port) for one in policy["permissions"])
    return permitted and any(_principal(one, request) for one in policy["principals"])


def _permission(rule: Json, request: Request, port: int) -> bool:
    if "any" in rule:
        return bool(rule["any"])
    if "and_rules" in rule:
        return all(_permission(one, request, port) for one in rule["and_rules"]["rules"])
    if "or_rules" in rule:
        return any(_permission(one, request, port) for one in rule["or_rules"]["rules"])
    if "not_rule" in rule:
        return not _permission(rule["not_rule"], request, port)
    if "header" in rule:
        return matching.header(rule["header"], request)
    if "url_path" in rule:
        return matching.text(rule["url_path"]["path"], request.plain_path)
    if "uri_template" in rule:
        return _template(rule["uri_template"]["typed_config"]["path_template"], request.plain_path)
    if "destination_port" in rule:
        return bool(rule["destination_port"] == port)
    if "requested_server_name" in rule:
        return matching.text(rule["requested_server_name"], request.server_name)
    return "metadata" in rule and matching.metadata(rule["metadata"], request)


def _template(template: str, path: str) -> bool:
    parts = [
        ".*" if part == "**" else "[^/]+" if part == "*" else re.escape(part)
        for part in template.split("/")
    ]
    return matching.full_match("/".join(parts), path)


def _principal(rule: Json, request: Request) -> bool:
    if "any" in rule:
        return bool(rule["any"])
    if "and_ids" in rule:
        return all(_principal(one, request) for one in rule["and_ids"]["ids"])
    if "or_ids" in rule:
        return any(_principal(one, request) for one in rule["or_ids"]["ids"])
    if "not_id" in rule:
        return not _principal(rule["not_id"], request)
    if "authenticated" in rule:
        name = rule["authenticated"]["principal_name"]
        return bool(request.principal) and matching.text(name, request.principal)
    if "header" in rule:
        return matching.header(rule["header"], request)
    if "metadata" in rule:
        return matching.metadata(rule["metadata"], request)
    block = rule.get("direct_remote_ip") or rule.get("remote_ip")
    return block is not None and _within(block, request.source_ip)


def _within(block: Json, address: str) -> bool:
    network = ipaddress.ip_network(f"{block['address_prefix']}/{block['prefix_len']}")
    return ipaddress.ip_address(address) in network
