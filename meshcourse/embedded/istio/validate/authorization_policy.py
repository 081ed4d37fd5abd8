"""AuthorizationPolicy."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

from meshcourse.embedded.istio.validate import names
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, quoted
from meshcourse.embedded.istio.validate.item import Item

_SOURCE: Final = (
    "principals",
    "requestPrincipals",
    "namespaces",
    "serviceAccounts",
    "trustDomains",
    "ipBlocks",
    "remoteIpBlocks",
)
_OPERATION: Final = ("ports", "methods", "paths", "hosts")
_IDENTITY: Final = (
    "Namespaces",
    "ServiceAccounts",
    "TrustDomains",
    "Principals",
    "RequestPrincipals",
)
_LITERAL: Final = re.compile(r"[a-zA-Z0-9\-._~%!$&'()+,;:@=]+")
_ANY_DEPTH, _ONE = "{**}", "{*}"
#: Attributes of the transport, with which a rule also makes sense for TCP.
_TCP_SOURCE: Final = ("principals", "ipBlocks", "namespaces", "remoteIpBlocks", "serviceAccounts")


def check(item: Item) -> Findings:
    """Errors and warnings of an AuthorizationPolicy; errors carry the policy's name, as Istio's do."""
    prefix = f"invalid policy {item.name}.{item.namespace}:"
    for found in _check(item.spec):
        yield found if isinstance(found, Warn) else f"{prefix} {found}"


def _check(spec: Spec) -> Findings:
    yield from names.targets(spec)
    action = spec.get("action") or "ALLOW"
    if action == "CUSTOM":
        yield from _custom(spec)
    elif spec.get("provider") is not None:
        yield f"`provider` must not be with non CUSTOM action, found {action}"
    if action == "DENY" and spec.get("rules") is None:
        yield (
            "DENY action without `rules` is meaningless as it will never be triggered, "
            "add an empty rule `{}` if you want it be triggered for every request"
        )
    for number, rule in enumerate(items(spec.get("rules"))):
        if rule is None:
            yield f"`rule` must not be nil, found at rule {number}"
            continue
        yield from _rule(rule, number)
        if action == "DENY" and _http_only(rule):
            yield Warn(
                "configured AuthorizationPolicy will deny all traffic "
                "to TCP ports under its scope due to the use of only HTTP attributes "
                "in a DENY rule; it is recommended to explicitly specify the port"
            )


def _custom(spec: Spec) -> Findings:
    if spec.get("rules") is None:
        yield (
            "CUSTOM action without `rules` is meaningless as it will never be triggered, "
            "add an empty rule `{}` if you want it be triggered for every request"
        )
    elif not (spec.get("provider") or {}).get("name"):
        yield "`provider.name` must not be empty"
    for rule in items(spec.get("rules")):
        for source in _sources(rule or {}):
            for name in _IDENTITY:
                for shown in (name, f"Not{name}"):
                    if source.get(shown[0].lower() + shown[1:]):
                        yield f"From.{shown} is currently not supported with CUSTOM action"
        for condition in items((rule or {}).get("when")):
            key = condition.get("key") or ""
            identity = ("namespace", "serviceAccount", "trustDomain", "principal")
            if key in {f"source.{one}" for one in identity} or key.startswith("request.auth."):
                yield f"{key} is currently not supported with CUSTOM action"


def _sources(rule: Spec) -> list[Spec]:
    return [one.get("source") or {} for one in items(rule.get("from")) if one]


def _rule(rule: Spec, number: int) -> Findings:
    where = f"found at rule {number}"
    for field, inner, checked in (("from", "source", _source), ("to", "operation", _operation)):
        if rule.get(field) is not None and not rule[field]:
            yield f"`{field}` must not be empty, {where}"
        for one in items(rule.get(field)):
            if one is None:
                yield f"`{field}` must not be nil, {where}"
            elif one.get(inner) is None:
                yield f"`{field}.{inner}` must not be nil, {where}"
            else:
                yield from checked(one[inner], where)
    for condition in items(rule.get("when")):
        yield from _condition(condition)


def _negated(field: str) -> str:
    return f"not{field[0].upper()}{field[1:]}"


def _shown(field: str) -> str:
    return field[0].upper() + field[1:]


def _source(source: Spec, where: str) -> Findings:
    others = ("principals", "notPrincipals", "namespaces", "notNamespaces")
    accounts = source.get("serviceAccounts") or source.get("notServiceAccounts")
    if accounts and any(source.get(one) for one in others):
        yield f"cannot set serviceAccounts with namespaces or principals, {where}"
    if not any(source.get(one) or source.get(_negated(one)) for one in _SOURCE):
        yield f"`from.source` must not be empty, {where}"
    for field in ("ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"):
        yield from _blocks(items(source.get(field)))
    for field in (*_SOURCE, *(_negated(one) for one in _SOURCE)):
        values = items(source.get(field))
        if field.lower().endswith("serviceaccounts"):
            yield from _accounts(_shown(field), values)
        elif field.lower().endswith("trustdomains"):
            yield from _trust_domains(_shown(field), values)
        else:
            yield from _not_empty(_shown(field), values)


def _operation(operation: Spec, where: str) -> Findings:
    fields = (*_OPERATION, *(_negated(one) for one in _OPERATION))
    if not any(operation.get(one) for one in fields):
        yield f"`to.operation` must not be empty, {where}"
    for field in ("ports", "notPorts"):
        yield from _ports(items(operation.get(field)))
    for field in fields:
        yield from _not_empty(_shown(field), items(operation.get(field)))
    for field in ("paths", "notPaths"):
        yield from _path_templates(_shown(field), items(operation.get(field)))


def _not_empty(key: str, values: list[Any]) -> Findings:
    if "" in values:
        yield f"empty value not allowed, found in {key}"


def _blocks(values: list[Any]) -> Findings:
    for value in values:
        text = str(value)
        if "/" in text:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                yield f"bad CIDR range ({text}): netip.ParsePrefix({quoted(text)}): {_why(text)}"
        elif not names.is_ip(text):
            yield f"bad IP address ({text})"


def _why(block: str) -> str:
    address, _, length = block.partition("/")
    if not names.is_ip(address):
        return f"ParseAddr({quoted(address)}): unable to parse IP"
    if not length.isdigit():
        return f"bad bits after slash: {quoted(length)}"
    return "prefix length out of range"


def _ports(values: list[Any]) -> Findings:
    for value in values:
        text = str(value)
        if not text.isdigit():
            yield f"bad port ({text}): strconv.ParseUint: parsing {quoted(text)}: invalid syntax"
        elif int(text) > 65535:
            yield f"bad port ({text}): <nil>"


def _accounts(key: str, values: list[Any]) -> Findings:
    """``serviceAccount`` or ``namespace/serviceAccount``."""
    expected = "expected format 'serviceAccount' or 'namespace/serviceAccount'"
    if len(values) > 16:
        yield "may not have more than 16 values"
        return
    for value in (str(one) for one in values):
        namespace, slash, account = value.partition("/")
        if not value:
            yield f"empty value not allowed, found in {key}"
        elif "*" in value:
            yield f"wildcard not allowed, found in {key}"
        elif value.count("/") > 1:
            yield f"{expected}, found {quoted(value)} in {key}"
        elif len(value) > 320:
            yield f"value cannot exceed 320 characters, found {quoted(value)} in {key}"
        elif slash and not namespace:
            yield f"{expected}, found empty namespace {quoted(value)} in {key}"
        elif slash and not account:
            yield f"{expected}, found empty serviceAccount {quoted(value)} in {key}"
        else:
            continue
        return


def _wildcards(key: str, values: list[Any]) -> Findings:
    yield from _not_empty(key, values)
    for value in (str(one) for one in values):
        if value.count("*") > 1:
            yield f"at most one wildcard is allowed, found in {key}: {quoted(value)}"
            return
        if "*" in value and not value.startswith("*") and not value.endswith("*"):
            yield f"wildcard is only allowed at the start or end, found in {key}: {quoted(value)}"
            return


def _trust_domains(key: str, values: list[Any]) -> Findings:
    problems = list(_wildcards(key, values))
    yield from problems
    bad = next((one for one in values if "/" in str(one)), None)
    if bad is not None and not problems:
        yield f"trust domain must not contain '/', found in {key}: {quoted(bad)}"


def _path_templates(key: str, values: list[Any]) -> Findings:
    for value in values:
        problem = _path_problem(str(value))
        if problem:
            path = str(value).strip("/")
            yield f"invalid or unsupported path {path}, found in {key}. {problem}"
            return


def _path_problem(value: str) -> str:
    template = _ONE in value or _ANY_DEPTH in value
    last = False
    for part in value.strip("/").split("/"):
        if part in (_ONE, _ANY_DEPTH):
            if last:
                return "{**} is not the last operator"
            last = part == _ANY_DEPTH
        elif "{" in part or "}" in part:
            return "Contains '{' or '}' beyond a supported path template"
        elif template and not _LITERAL.fullmatch(part):
            return f"Contains segment {part} with invalid string literal"
    return ""


def _condition(condition: Spec) -> Findings:
    key = condition.get("key") or ""
    if not key:
        yield "`key` must not be empty"
        return
    values, others = items(condition.get("values")), items(condition.get("notValues"))
    if not values and not others:
        yield f"at least one of `values` or `notValues` must be set for key {key}"
        return
    for field, found in (("value", values), ("notValue", others)):
        for problem in _attribute(key, found):
            yield f"invalid `{field}` for `key` {key}: {problem}"
            break


_FREE: Final = frozenset(
    (
        "source.namespace",
        "source.principal",
        "request.auth.principal",
        "request.auth.audiences",
        "request.auth.presenter",
        "connection.sni",
    )
)
_MAPS: Final = ("request.headers", "request.auth.claims", "experimental.envoy.filters.")


def _attribute(key: str, values: list[Any]) -> Findings:
    yield from _not_empty(key, values)
    if key.startswith(_MAPS):
        start = key.find("[")
        if not (key.endswith("]") and 0 < start < len(key) - 2):
            yield f"bad key ({key}): should have format a[b]"
    elif key in ("source.ip", "remote.ip", "destination.ip"):
        yield from _blocks(values)
    elif key == "destination.port":
        yield from _ports(values)
    elif key == "source.serviceAccount":
        yield from _accounts(key, values)
    elif key == "source.trustDomain":
        yield from _wildcards(key, values)
    elif key == "destination.namespace":
        yield f"attribute {key} is replaced by the metadata.namespace"
    elif key.startswith("destination.labels"):
        yield f"attribute {key} is replaced by the workload selector"
    elif key in ("destination.name", "destination.user"):
        yield f"deprecated attribute {key}: only supported in v1alpha1"
    elif key not in _FREE:
        yield f"unknown attribute: {key}"


def _http_only(rule: Spec) -> bool:
    """Whether a rule looks at requests only, so that TCP ports could not be told apart."""
    sources = _sources(rule)
    operations = [one.get("operation") or {} for one in items(rule.get("to")) if one]
    tcp_source = any(
        one.get(field) is not None
        for one in sources
        for name in _TCP_SOURCE
        for field in (name, _negated(name))
    )
    tcp_operation = any(
        one.get("ports") is not None or one.get("notPorts") is not None for one in operations
    )
    if operations:
        return not tcp_operation
    return bool(sources) and not tcp_source
