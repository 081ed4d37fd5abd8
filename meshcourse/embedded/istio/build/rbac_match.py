"""Conditions of authorization rules as Envoy's RBAC permissions and principals.

Source: istio.io reference of AuthorizationPolicy, pilot's authorization model. Values may begin or
end with ``*``; ``*`` alone asks for presence.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Final

from meshcourse.embedded.istio.build import route_match
from meshcourse.embedded.istio.model import Json

_SPIFFE: Final = "spiffe://"
_ANYTHING: Final[Json] = {"safe_regex": {"regex": ".+"}}
_ONE, _MANY = "{*}", "{**}"

#: From the values of a condition to one permission or principal.
Matcher = Callable[[Sequence[str]], Json]


def text(value: str, prefix: str = "", *, ignore_case: bool = False) -> Json:
    """StringMatcher of a value with wildcards; `prefix` is put before it."""
    case = {"ignore_case": True} if ignore_case else {}
    if value == "*":
        return _ANYTHING
    if value.startswith("*"):
        if not prefix:
            return {"suffix": value[1:], **case}
        return {"safe_regex": {"regex": f"{prefix}.*{re.escape(value[1:])}"}}
    if value.endswith("*"):
        return {"prefix": prefix + value[:-1], **case}
    return {"exact": prefix + value, **case}


def header(name: str, value: str, *, ignore_case: bool = False) -> Json:
    """HeaderMatcher of a value with wildcards."""
    if value == "*":
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": text(value, ignore_case=ignore_case)}


def block(value: str) -> Json:
    """CidrRange of an address or block."""
    network = ipaddress.ip_network(value, strict=False)
    return {"address_prefix": str(network.network_address), "prefix_len": network.prefixlen}


def _regex(pattern: str) -> Json:
    return {"safe_regex": {"regex": pattern}}


def _identity(matcher: Json) -> Json:
    return {"authenticated": {"principal_name": matcher}}


def principal(value: str) -> Json:
    """``cluster.local/ns/default/sa/reviews``."""
    return _identity(text(value, _SPIFFE))


def namespace(value: str) -> Json:
    """A client's namespace."""
    pattern = ".*".join(re.escape(part) for part in value.split("*"))
    return _identity(_regex(f".*/ns/{pattern}/.*"))


def trust_domain(value: str) -> Json:
    """A client's trust domain."""
    if value == "*":
        return _identity({"prefix": _SPIFFE})
    if "*" not in value:
        return _identity({"prefix": f"{_SPIFFE}{value}/"})
    left, _, right = value.partition("*")
    return _identity(_regex(f"{_SPIFFE}{re.escape(left)}[^/]*{re.escape(right)}/.*"))


def service_account(value: str, own_namespace: str) -> Json:
    """``account`` (of the policy's namespace) or ``namespace/account``."""
    owner, slash, name = value.rpartition("/")
    where = re.escape(owner if slash else own_namespace)
    return _identity(_regex(f"{_SPIFFE}.+/ns/{where}/(.+/|)sa/{re.escape(name)}(/.+)?"))


def source_ip(value: str) -> Json:
    """The peer's address."""
    return {"direct_remote_ip": block(value)}


def remote_ip(value: str) -> Json:
    """The client's address (after X-Forwarded-For)."""
    return {"remote_ip": block(value)}


def request_header(name: str) -> Callable[[str], Json]:
    """``request.headers[NAME]``."""
    return lambda value: {"header": header(name, value)}


def _claim(name: str, matcher: Json) -> Json:
    path = [{"key": route_match.JWT_PAYLOAD}, {"key": name}]
    value = {"string_match": matcher}
    return {"metadata": {"filter": route_match.JWT_METADATA, "path": path, "value": value}}


def request_principals(values: Sequence[str]) -> Json:
    """``issuer/subject`` of a validated token."""
    found = []
    for value in values:
        issuer, subject = _request_principal(value)
        found.append({"and_ids": {"ids": [_claim("iss", issuer), _claim("sub", subject)]}})
    return found[0] if len(found) == 1 else {"or_ids": {"ids": found}}


def _request_principal(value: str) -> tuple[Json, Json]:
    """Matchers of issuer and subject; the last slash divides them, since an issuer may be a URL."""
    issuer, slash, subject = value.rpartition("/")
    if value == "*":
        return _ANYTHING, _ANYTHING
    if value.startswith("*"):
        if not slash:
            return _ANYTHING, {"suffix": value[1:]}
        return text(issuer), {"exact": subject}
    if value.endswith("*"):
        if not slash:
            return {"prefix": value[:-1]}, _ANYTHING
        return {"exact": issuer}, text(subject)
    return ({"exact": issuer}, {"exact": subject}) if slash else ({"exact": value}, {"exact": ""})


def claims(path: Sequence[str]) -> Matcher:
    """``request.auth.claims[…]``: a claim that is a text or a list of texts."""

    def match(values: Sequence[str]) -> Json:
        either = [{"string_match": text(one)} for one in values]
        value = either[0] if len(either) == 1 else {"or_match": {"value_matchers": either}}
        keys = [{"key": route_match.JWT_PAYLOAD}, *({"key": one} for one in path)]
        both = {"or_match": {"value_matchers": [value, {"list_match": {"one_of": value}}]}}
        return {"metadata": {"filter": route_match.JWT_METADATA, "path": keys, "value": both}}

    return match


def host(value: str) -> Json:
    """The authority, whatever its case."""
    return {"header": header(":authority", value, ignore_case=True)}


def method(value: str) -> Json:
    """The HTTP method."""
    return {"header": header(":method", value)}


def path(value: str) -> Json:
    """The path: with ``*`` at either end, or a template with ``{*}`` and ``{**}``."""
    if _ONE in value or _MANY in value:
        template = value.replace(_MANY, "**").replace(_ONE, "*")
        config = {
            "@type": "type.googleapis.com/"
            "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            "path_template": template,
        }
        return {"uri_template": {"name": "uri-template", "typed_config": config}}
    return {"url_path": {"path": text(value)}}


def port(value: str) -> Json:
    """The port of the workload."""
    return {"destination_port": int(value)}


def destination_ip(value: str) -> Json:
    """The workload's address."""
    return {"destination_ip": block(value)}


def server_name(value: str) -> Json:
    """The server name of the TLS handshake."""
    return {"requested_server_name": text(value)}


def metadata(key: str) -> Matcher:
    """``experimental.envoy.filters.NAME[KEY]``: dynamic metadata; ``[value]`` looks into a list."""
    name, _, inner = key.removeprefix("experimental.").removesuffix("]").partition("[")

    def match(values: Sequence[str]) -> Json:
        found = [_metadata_value(one) for one in values]
        value = found[0] if len(found) == 1 else {"or_match": {"value_matchers": found}}
        return {"metadata": {"filter": name, "path": [{"key": inner}], "value": value}}

    return match


def _metadata_value(value: str) -> Json:
    if value.startswith("[") and value.endswith("]"):
        return {"list_match": {"one_of": {"string_match": text(value.strip("[]"))}}}
    return {"string_match": text(value)}


def any_of(one: Callable[[str], Json], *, permission: bool) -> Matcher:
    """A matcher of several values made from that of one."""
    key, inner = ("or_rules", "rules") if permission else ("or_ids", "ids")
    return lambda values: {key: {inner: [one(value) for value in values]}}
