"""What the HTTP filters of a connection manager do to a request before it is routed on.

Filters are known by the type of their configuration, not by their names; a route's ``typed_per_filter_config`` goes
before the filter's own. Source: Envoy's API reference of each filter.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from meshcourse.simulate import policy
from meshcourse.simulate.config import Configuration
from meshcourse.simulate.outcome import Request, Step

Json = Mapping[str, Any]

_BEARER: Final = "Bearer "
#: Filters whose decision is somebody else's, or a program's.
_OPAQUE: Final = {
    "ExtAuthz": "an external authorizer is asked",
    "RateLimit": "a rate limit service is asked",
    "LocalRateLimit": "a local rate limit applies",
    "Lua": "a Lua script runs",
    "Wasm": "a WebAssembly filter runs",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request in the filters.

    :param request: with the claims of its token, once that was believed.
    :param status: of the refusal; None if the request goes on.
    :param fault: the HTTPFault in force, may be empty.
    """

    request: Request
    steps: tuple[Step, ...] = ()
    status: int | None = None
    why: str = ""
    hints: tuple[str, ...] = ()
    fault: Json = None  # type: ignore[assignment]


def run(
    manager: Json, found: Configuration, per_route: Json, request: Request, port: int
) -> Verdict:
    """The filters in their order.

    :param per_route: ``typed_per_filter_config`` of the route and all above it, joined.
    :param port: of the workload.
    """
    verdict = Verdict(request, fault={})
    for one in manager.get("http_filters") or ():
        own = per_route.get(one.get("name") or "") or {}
        if one.get("disabled") or own.get("disabled"):
            continue
        verdict = _one(_configured(one, found), own, verdict, port)
        if verdict.status is not None:
            break
    return verdict


def _configured(one: Json, found: Configuration) -> Json:
    """The configuration of a filter: its own, or what was sent under its name."""
    discovered = found.extensions.get(one.get("name") or "") if "config_discovery" in one else one
    typed: Json = (discovered or {}).get("typed_config") or {}
    return typed


def _kind(typed: Json) -> str:
    return str(typed.get("@type") or "").rpartition(".")[2]


def _one(typed: Json, own: Json, verdict: Verdict, port: int) -> Verdict:
    kind = _kind(typed)
    if kind == "RBAC":
        return _rbac((own.get("rbac") if "rbac" in own else typed) or {}, verdict, port)
    if kind == "JwtAuthentication":
        return _tokens(typed, verdict)
    if kind == "HTTPFault":
        return replace(verdict, fault=own or typed)
    if kind in _OPAQUE and (kind != "LocalRateLimit" or own or typed.get("token_bucket")):
        return replace(verdict, steps=(*verdict.steps, Step("filter", kind, _OPAQUE[kind])))
    return verdict


def _rbac(typed: Json, verdict: Verdict, port: int) -> Verdict:
    rules = typed.get("rules")
    if not rules:
        return verdict
    denial = policy.judge(rules, verdict.request, port)
    action = rules.get("action") or "ALLOW"
    if denial is None:
        passed = "lets it pass" if action != "LOG" else "only writes it down"
        return replace(verdict, steps=(*verdict.steps, Step("policy", f"RBAC {action}", passed)))
    steps = (*verdict.steps, Step("policy", f"RBAC {action}", denial.why))
    return replace(verdict, steps=steps, status=403, why=f"RBAC: {denial.why}", hints=denial.hints)


# -- tokens --------------------------------------------------------------------------------------


def _tokens(typed: Json, verdict: Verdict) -> Verdict:
    """What can be said of a token without its key: whether there is one, from whom, and until when."""
    providers = (typed.get("providers") or {}).values()
    carried = [(one, token) for one in providers for token in _carried(one, verdict.request)]
    if not carried:
        return verdict
    problems = []
    for provider, token in carried:
        claims = claims_of(token)
        why = _wrong(provider, claims)
        if not why:
            step = Step("token", str(claims.get("iss")), "taken to be signed by its issuer")
            request = replace(verdict.request, claims=claims)
            return replace(verdict, request=request, steps=(*verdict.steps, step))
        problems.append(why)
    steps = (*verdict.steps, Step("token", "refused", problems[0]))
    return replace(verdict, steps=steps, status=401, why=f"JWT: {problems[0]}")


def _carried(provider: Json, request: Request) -> Iterator[str]:
    """The tokens of a request at the places where a provider looks."""
    places = provider.get("from_headers") or ()
    for one in places:
        value = request.header(one["name"])
        if value is not None and value.startswith(one.get("value_prefix") or ""):
            yield value.removeprefix(one.get("value_prefix") or "")
    for name in provider.get("from_params") or ():
        if name in request.query:
            yield request.query[name]
    cookies = dict(
        one.strip().partition("=")[::2] for one in (request.header("cookie") or "").split(";")
    )
    for name in provider.get("from_cookies") or ():
        if name in cookies:
            yield cookies[name]
    elsewhere = places or provider.get("from_params") or provider.get("from_cookies")
    value = request.header("authorization") or ""
    if not elsewhere and value.startswith(_BEARER):
        yield value.removeprefix(_BEARER)


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, believed or not; empty if it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = json.loads(text)
    except (ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _wrong(provider: Json, claims: Mapping[str, Any]) -> str:
    if not claims:
        return "the token is no JSON Web Token"
    issuer = provider.get("issuer")
    if issuer and claims.get("iss") != issuer:
        return f"the token is of {claims.get('iss')}, wanted is one of {issuer}"
    if float(claims.get("exp") or "inf") < time.time():
        return "the token is expired"
    given = claims.get("aud") or []
    audiences = set(provider.get("audiences") or ())
    if audiences and not audiences & set([given] if isinstance(given, str) else given):
        return f"the token is for {given}, wanted is one for {sorted(audiences)}"
    return ""
