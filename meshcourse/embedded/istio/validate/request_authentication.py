"""RequestAuthentication."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from meshcourse.embedded.istio.validate import headers, names
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, quoted
from meshcourse.embedded.istio.validate.item import Item

_PRIVATE: Final = frozenset(("d", "k"))


def check(item: Item) -> Findings:
    """Errors and warnings of a RequestAuthentication."""
    yield from names.targets(item.spec)
    for rule in items(item.spec.get("jwtRules")):
        if rule is not None:
            yield from _rule(rule)
            yield from _private_keys(rule)


def _rule(rule: Spec) -> Findings:
    if "" in items(rule.get("audiences")):
        yield "audience must be non-empty string"
    if not rule.get("issuer") and not rule.get("jwksUri"):
        yield "issuer or jwksUri must be non-empty string"
    if rule.get("jwksUri"):
        yield from _uri(rule["jwksUri"])
    if rule.get("jwks") and _keys(rule["jwks"]) is None:
        yield "jwks parse error: failed to unmarshal JWK set"
    yield from _locations(rule)
    for pair in items(rule.get("outputClaimToHeaders")):
        yield from _output(pair)
    yield from names.duration(rule.get("timeout"))


def _uri(text: str) -> Findings:
    scheme = urlsplit(text).scheme
    if scheme not in ("http", "https"):
        yield f"URI scheme {quoted(scheme)} is not supported"


def _keys(text: str) -> list[Any] | None:
    """The keys of a JWK set (or a lone key); None if it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    keys = found.get("keys", [found] if "kty" in found else None)
    if not isinstance(keys, list) or not all(
        isinstance(one, dict) and "kty" in one for one in keys
    ):
        return None
    return keys


def _private_keys(rule: Spec) -> Findings:
    for number, key in enumerate(_keys(rule.get("jwks") or "") or []):
        if _PRIVATE & key.keys():
            yield Warn(
                f"jwks key at index {number} contains private key material; "
                "only public keys are used for verification"
            )


def _locations(rule: Spec) -> Findings:
    for location in items(rule.get("fromHeaders")):
        if location is None:
            yield "location header name must be non-null"
        elif not location.get("name"):
            yield "location header name must be non-empty string"
    if "" in items(rule.get("fromParams")):
        yield "location query must be non-empty string"
    if "" in items(rule.get("fromCookies")):
        yield "cookie name must be non-empty string"


def _output(pair: Spec | None) -> Findings:
    if pair is None:
        yield "outputClaimToHeaders must not be null"
    elif not pair.get("claim") or not pair.get("header"):
        yield "outputClaimToHeaders header and claim value must be non-empty string"
    else:
        yield from headers.strict_name(pair["header"])
