"""One rule of an AuthorizationPolicy → one policy of Envoy's RBAC engine.

Source: pilot's authorization model. ``from`` and ``when`` become principals, ``to`` and ``when``
permissions. On TCP, attributes of requests do not exist: an ALLOW rule that uses one is left out
(allows less), DENY and AUDIT ignore the attribute (denies more).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio.build import rbac_match, route_match
from meshcourse.embedded.istio.build.rbac_match import Matcher
from meshcourse.embedded.istio.model import Json

#: Matches nothing; what an ALLOW policy without rules stands for.
NEVER: Final[Json] = {
    "permissions": [{"not_rule": {"any": True}}],
    "principals": [{"not_id": {"any": True}}],
}


class HttpOnlyError(ValueError):
    """An attribute of requests in a rule for TCP."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute with the values it must and must not have."""

    attribute: str
    values: Sequence[str]
    excluded: Sequence[str]


_FROM: Final = (
    ("principals", "source.principal"),
    ("requestPrincipals", "request.auth.principal"),
    ("serviceAccounts", "source.serviceAccount"),
    ("trustDomains", "source.trustDomain"),
    ("namespaces", "source.namespace"),
    ("remoteIpBlocks", "remote.ip"),
    ("ipBlocks", "source.ip"),
)
_TO: Final = (
    ("hosts", "host"),
    ("methods", "method"),
    ("paths", "path"),
    ("ports", "destination.port"),
)
_PERMISSIONS: Final = frozenset(("destination.ip", "destination.port", "connection.sni"))
_HTTP_PREFIXES: Final = ("request.", "host", "method", "path")


def build(
    rule: Mapping[str, Any], namespace: str, *, tcp: bool = False, allow: bool = False
) -> Json | None:
    """The RBAC policy of a rule; None if it cannot be expressed (TCP).

    :param namespace: of the policy, for service accounts without one.
    """
    try:
        return {
            "permissions": list(_permissions(rule, namespace, tcp=tcp, allow=allow)),
            "principals": list(_principals(rule, namespace, tcp=tcp, allow=allow)),
        }
    except HttpOnlyError:
        return None


def _when(rule: Mapping[str, Any], *, permission: bool) -> list[Condition]:
    return [
        Condition(one["key"], one.get("values") or [], one.get("notValues") or [])
        for one in rule.get("when") or []
        if _is_permission(one["key"]) is permission
    ]


def _is_permission(attribute: str) -> bool:
    return attribute in _PERMISSIONS or attribute.startswith("experimental.envoy.filters.")


def _listed(source: Mapping[str, Any], fields: Sequence[tuple[str, str]]) -> Iterator[Condition]:
    for field, attribute in fields:
        excluded = source.get(f"not{field[0].upper()}{field[1:]}") or []
        values = source.get(field) or []
        if values or excluded:
            yield Condition(attribute, values, excluded)


def _permissions(
    rule: Mapping[str, Any], namespace: str, *, tcp: bool, allow: bool
) -> Iterator[Json]:
    shared = _when(rule, permission=True)
    targets = [one.get("operation") or {} for one in rule.get("to") or []] or [{}]
    for operation in targets:
        conditions = [*_listed(operation, _TO), *shared]
        found = [
            part
            for one in conditions
            for part in _parts(one, namespace, permission=True, tcp=tcp, allow=allow)
        ]
        yield {"and_rules": {"rules": found or [{"any": True}]}}


def _principals(
    rule: Mapping[str, Any], namespace: str, *, tcp: bool, allow: bool
) -> Iterator[Json]:
    shared = _when(rule, permission=False)
    sources = [one.get("source") or {} for one in rule.get("from") or []] or [{}]
    for source in sources:
        conditions = [*_listed(source, _FROM), *shared]
        found = [
            part
            for one in conditions
            for part in _parts(one, namespace, permission=False, tcp=tcp, allow=allow)
        ]
        yield {"and_ids": {"ids": found or [{"any": True}]}}


def _parts(
    condition: Condition, namespace: str, *, permission: bool, tcp: bool, allow: bool
) -> Iterator[Json]:
    if tcp and condition.attribute.startswith(_HTTP_PREFIXES):
        if allow:
            raise HttpOnlyError(condition.attribute)
        return
    matcher = _matcher(condition.attribute, namespace, permission=permission)
    if condition.values:
        yield matcher(condition.values)
    if condition.excluded:
        yield {"not_rule" if permission else "not_id": matcher(condition.excluded)}


_SINGLE: Final = {
    "source.principal": rbac_match.principal,
    "source.trustDomain": rbac_match.trust_domain,
    "source.namespace": rbac_match.namespace,
    "source.ip": rbac_match.source_ip,
    "remote.ip": rbac_match.remote_ip,
    "host": rbac_match.host,
    "method": rbac_match.method,
    "path": rbac_match.path,
    "destination.port": rbac_match.port,
    "destination.ip": rbac_match.destination_ip,
    "connection.sni": rbac_match.server_name,
}
_WHOLE: Final[dict[str, Matcher]] = {
    "request.auth.principal": rbac_match.request_principals,
    "request.auth.audiences": rbac_match.claims(["aud"]),
    "request.auth.presenter": rbac_match.claims(["azp"]),
}


def _matcher(attribute: str, namespace: str, *, permission: bool) -> Matcher:
    if attribute in _WHOLE:
        return _WHOLE[attribute]
    if attribute.startswith("request.auth.claims"):
        return rbac_match.claims(route_match.claim_path(f"@{attribute}") or [])
    if attribute.startswith("experimental."):
        return rbac_match.metadata(attribute)
    if attribute.startswith("request.headers["):
        name = attribute.removeprefix("request.headers[").removesuffix("]")
        return rbac_match.any_of(rbac_match.request_header(name), permission=False)
    if attribute == "source.serviceAccount":
        return rbac_match.any_of(
            lambda value: rbac_match.service_account(value, namespace), permission=False
        )
    return rbac_match.any_of(_SINGLE[attribute], permission=permission)
