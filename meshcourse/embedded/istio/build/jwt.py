"""RequestAuthentications of a workload → the JWT filter, delivered as an extension (ECDS).

Source: istio.io reference of RequestAuthentication, pilot's policy applier: a token that is present
must be valid; a request without token passes (authorization decides about it). Key sets by URI are
fetched by istiod; a set that could not be fetched is replaced by one that accepts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio.build import proto, route_match
from meshcourse.embedded.istio.model import Config, Json

#: Where an issuer says where its keys are (OpenID Connect Discovery).
DISCOVERY: Final = "/.well-known/openid-configuration"
MESSAGE: Final = "extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_SPACE_DELIMITED: Final = ("permission", "scope")
#: A key whose private half was thrown away, so that every token is refused (Envoy wants one key).
_NOBODYS_KEY: Final = json.dumps(
    {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "kid": "unavailable",
                "x": "uWTtaJ5sFchFUi24JTqupkJdurVyQvWLUy8THdd_uBo",
                "y": "wgZfn494cpCNajbDWJNST15Kz5kItfgf6iRvJVyY6xE",
            }
        ]
    }
)


def config(policies: Sequence[Config], keys: Mapping[str, str], *, reroute: bool) -> Json:
    """The filter's configuration as an Any; it does nothing without policies.

    :param keys: key sets (JSON text) by URI, as istiod fetched them.
    :param reroute: whether routes may depend on claims (gateways).
    """
    rules = sorted(
        (rule for policy in policies for rule in policy.spec.get("jwtRules") or []),
        key=lambda rule: str(rule.get("issuer") or ""),
    )
    if not rules:
        return proto.typed(MESSAGE)
    providers = {
        f"origins-{number}": _provider(rule, keys, reroute=reroute)
        for number, rule in enumerate(rules)
    }
    return proto.typed(
        MESSAGE,
        providers=providers,
        rules=[{"match": {"prefix": "/"}, "requires": _requirement(list(providers))}],
        bypass_cors_preflight=True,
    )


def _provider(rule: Mapping[str, Any], keys: Mapping[str, str], *, reroute: bool) -> Json:
    inline = rule.get("jwks") or keys.get(key_uri(rule)) or ""
    claims = [
        {"header_name": one["header"], "claim_name": one["claim"]}
        for one in rule.get("outputClaimToHeaders") or []
    ]
    locations = [
        proto.compact(name=one.get("name"), value_prefix=one.get("prefix"))
        for one in rule.get("fromHeaders") or []
    ]
    delimited = sorted({*_SPACE_DELIMITED, *(rule.get("spaceDelimitedClaims") or [])})
    fields = proto.compact(
        issuer=rule.get("issuer"),
        audiences=list(rule.get("audiences") or []),
        forward=bool(rule.get("forwardOriginalToken")),
        forward_payload_header=rule.get("outputPayloadToHeader"),
        claim_to_headers=claims,
        from_headers=locations,
        from_params=list(rule.get("fromParams") or []),
        from_cookies=list(rule.get("fromCookies") or []),
        clear_route_cache=reroute,
    )
    return {
        **fields,
        "payload_in_metadata": route_match.JWT_PAYLOAD,
        "normalize_payload_in_metadata": {"space_delimited_claims": delimited},
        "local_jwks": {"inline_string": inline if usable(inline) else _NOBODYS_KEY},
    }


def key_uri(rule: Mapping[str, Any]) -> str:
    """Where the issuer publishes its keys, or what says so; "" if the rule brings them along."""
    if rule.get("jwks"):
        return ""
    if uri := rule.get("jwksUri") or rule.get("jwks_uri"):
        return str(uri)
    issuer = str(rule.get("issuer") or "").removesuffix("/")
    return issuer + DISCOVERY if issuer.startswith(("http://", "https://")) else ""


def usable(text: str) -> bool:
    """Whether a key set holds a key that Envoy can use; it rejects the whole filter otherwise."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    keys = found.get("keys") if isinstance(found, dict) else None
    return isinstance(keys, list) and any(_has_public_part(one) for one in keys)


_PARTS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",), "oct": ("k",)}


def _has_public_part(key: Any) -> bool:
    parts = _PARTS.get(key.get("kty", "")) if isinstance(key, dict) else None
    return parts is not None and all(key.get(one) for one in parts)


def _requirement(names: Sequence[str]) -> Json:
    """Any provider's token, or, where a provider finds one, a valid one: missing tokens pass."""
    optional = [
        {"requires_any": {"requirements": [{"provider_name": one}, {"allow_missing": {}}]}}
        for one in names
    ]
    if len(optional) == 1:
        return optional[0]
    every = {"requires_all": {"requirements": optional}}
    return {"requires_any": {"requirements": [*({"provider_name": one} for one in names), every]}}
