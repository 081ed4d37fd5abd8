"""Envoy's RBAC engine: who may do what, and why not. Source: Envoy's API reference of RBAC (v3)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.simulate import matching
from meshcourse.simulate.matching import Condition
from meshcourse.simulate.outcome import Request

Json = Mapping[str, Any]

_POLICY: Final = re.compile(
    r"^ns\[(?P<ns>[^\]]*)\]-policy\[(?P<name>[^\]]*)\]-rule\[(?P<rule>\d+)\]$"
)
#: How Istio's proxies call the identity of a peer in filter state.
_PEER: Final = "io.istio.peer_principal"
#: Several ways for a rule to hold: either of these.
_EITHER: Final = ("or_rules", "or_ids")


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a policy refuses: in a line, and what would have to be different."""

    why: str
    hints: tuple[str, ...] = ()


def judge(rules: Json, request: Request, port: int) -> Denial | None:
    """What an RBAC engine says of a request; None if it lets it pass.

    :param rules: RBAC: action and policies; without policies ALLOW refuses everything.
    :param port: of the workload.
    """
    action, policies = rules.get("action") or "ALLOW", rules.get("policies") or {}
    if action == "LOG":
        return None
    matched = [name for name, one in policies.items() if applies(one, request, port)]
    if action == "DENY":
        return Denial(f"denied by {named(matched[0])}") if matched else None
    if matched:
        return None
    return Denial("no ALLOW policy matched", tuple(_hints(policies, request, port)))


def named(policy: str) -> str:
    """The AuthorizationPolicy behind Istio's name of an RBAC policy; other names stay."""
    found = _POLICY.match(policy)
    if found is None:
        return policy
    name, namespace, rule = found["name"], found["ns"], found["rule"]
    return f"AuthorizationPolicy {name} in {namespace} (rule {rule})"


def _hints(policies: Mapping[str, Json], request: Request, port: int) -> Iterator[str]:
    """For each policy what failed; those that fail in least come first."""
    failed = {
        name: [one for one in conditions(policy, request, port) if not one.holds]
        for name, policy in policies.items()
    }
    for name in sorted(failed, key=lambda one: len(failed[one])):
        reasons = ", and ".join(str(one) for one in failed[name])
        yield f"{named(name)} {reasons or 'matches nothing'}"


def applies(policy: Json, request: Request, port: int) -> bool:
    """Whether a policy matches a request."""
    permitted = any(_permission(one, request, port) for one in policy["permissions"])
    return permitted and any(_principal(one, request) for one in policy["principals"])


def conditions(policy: Json, request: Request, port: int) -> Iterator[Condition]:
    """The single conditions of a policy; alternatives are one condition."""
    yield from _sides(policy["permissions"], lambda one: _permission(one, request, port), request)
    yield from _sides(policy["principals"], lambda one: _principal(one, request), request)


def _sides(found: Sequence[Json], holds: Any, request: Request) -> Iterator[Condition]:
    """Of several alternatives only the whole counts; of one, each part."""
    parts = _parts(found[0]) if len(found) == 1 else []
    if len(found) != 1:
        words = " or ".join(_phrase(one) for one in found)
        yield Condition(words, _about(found[0], request), any(map(holds, found)))
    for one in parts:
        yield Condition(_phrase(one), _about(one, request), holds(one))


def _parts(rule: Json) -> list[Json]:
    for key in ("and_rules", "and_ids"):
        if key in rule:
            inner: list[Json] = rule[key].get("rules") or rule[key].get("ids") or []
            return [part for one in inner for part in _parts(one)]
    for key in _EITHER:
        inner = (rule.get(key) or {}).get("rules") or (rule.get(key) or {}).get("ids") or []
        if len(inner) == 1:
            return _parts(inner[0])
    return [rule]


def _phrase(rule: Json) -> str:
    """A permission or principal in words."""
    for key in ("and_rules", "and_ids", *_EITHER):
        if key in rule:
            inner = rule[key].get("rules") or rule[key].get("ids") or []
            return (" and " if key.startswith("and") else " or ").join(map(_phrase, inner))
    for key in ("not_rule", "not_id"):
        if key in rule:
            return f"not ({_phrase(rule[key])})"
    if "header" in rule:
        condition = matching.header_condition(rule["header"], Request())
        return condition.wanted
    if "authenticated" in rule:
        name = rule["authenticated"].get("principal_name")
        return f"an identity {matching.described(name)}" if name else "an identity"
    if "filter_state" in rule:
        return f"an identity {matching.described(rule['filter_state']['string_match'])}"
    if "metadata" in rule:
        keys = ".".join(one["key"] for one in rule["metadata"]["path"][1:])
        return f"a valid token with the right {keys or 'claims'}"
    return _target(rule)


def _target(rule: Json) -> str:
    if "url_path" in rule:
        return f"a path {matching.described(rule['url_path']['path'])}"
    if "uri_template" in rule:
        return f"a path like {rule['uri_template']['typed_config']['path_template']}"
    if "destination_port" in rule:
        return f"port {rule['destination_port']}"
    if "requested_server_name" in rule:
        return f"a server name {matching.described(rule['requested_server_name'])}"
    for key in ("direct_remote_ip", "remote_ip", "source_ip", "destination_ip"):
        if key in rule:
            return f"an address in {rule[key]['address_prefix']}/{rule[key].get('prefix_len', 0)}"
    return "anything" if rule.get("any") else "something unknown"


def _about(rule: Json, request: Request) -> str:
    """What the request has of what a rule is about."""
    for key in ("not_rule", "not_id"):
        if key in rule:
            return _about(rule[key], request)
    for key in ("and_rules", "and_ids", *_EITHER):
        if key in rule:
            inner = rule[key].get("rules") or rule[key].get("ids") or []
            return _about(inner[0], request) if inner else "nothing"
    if "header" in rule:
        return matching.header_condition(rule["header"], request).has
    if "authenticated" in rule or "filter_state" in rule:
        return request.principal or "no identity (it is plaintext)"
    if "metadata" in rule:
        return f"the claims {dict(request.claims)}" if request.claims else "no token"
    if "url_path" in rule or "uri_template" in rule:
        return request.plain_path
    return request.source_ip if any(key.endswith("_ip") for key in rule) else "another"


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
        name = rule["authenticated"].get("principal_name")
        return bool(request.principal) and (name is None or matching.text(name, request.principal))
    if "filter_state" in rule:
        found = rule["filter_state"]
        known = found.get("key") == _PEER and bool(request.principal)
        return known and matching.text(found["string_match"], request.principal)
    if "header" in rule:
        return matching.header(rule["header"], request)
    if "metadata" in rule:
        return matching.metadata(rule["metadata"], request)
    block = next(
        (rule[key] for key in ("direct_remote_ip", "remote_ip", "source_ip") if key in rule), None
    )
    return block is not None and _within(block, request.source_ip)


def _within(block: Json, address: str) -> bool:
    length = block.get("prefix_len", 0)
    network = ipaddress.ip_network(f"{block['address_prefix']}/{length}", strict=False)
    return ipaddress.ip_address(address) in network
