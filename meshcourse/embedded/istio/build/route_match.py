"""``match`` of a VirtualService's HTTP route → Envoy's RouteMatch.

Source: istio.io reference of HTTPMatchRequest, pilot's translation. A header with no condition, or
with the regular expression ``*``, only has to be present.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio.model import Json

#: ``@request.auth.claims.group`` or ``@request.auth.claims[group][id]``.
_CLAIM: Final = re.compile(
    r"^@request\.auth\.claims(?:\.(?P<dotted>[^\[\]]+)|(?P<bracketed>(?:\[[^\]]+\])+))$"
)
_METHOD, _AUTHORITY, _SCHEME = ":method", ":authority", ":scheme"
#: Where the JWT filter leaves the claims.
JWT_METADATA: Final = "envoy.filters.http.jwt_authn"
JWT_PAYLOAD: Final = "payload"


def string_match(condition: Mapping[str, Any]) -> Json:
    """StringMatch → StringMatcher."""
    if "exact" in condition:
        return {"exact": condition["exact"]}
    if "prefix" in condition:
        return {"prefix": condition["prefix"]}
    return {"safe_regex": {"regex": condition.get("regex", "")}}


def only_present(condition: Mapping[str, Any] | None) -> bool:
    """Whether the condition asks for presence only."""
    return not condition or condition.get("regex") == "*"


def build(match: Mapping[str, Any] | None, *, semantics: str = "") -> Json:
    """The RouteMatch; everything matches without a condition.

    :param semantics: ``gateway`` or ``ingress`` if the rule was made of those APIs, whose prefixes
    end at path separators.
    """
    if match is None:
        return {"prefix": "/"}
    result = _path(match.get("uri") or {}, semantics)
    result["case_sensitive"] = not match.get("ignoreUriCase")
    headers, metadata = _headers(match)
    if headers:
        result["headers"] = headers
    if metadata:
        result["dynamic_metadata"] = metadata
    if query := [_query(name, one) for name, one in (match.get("queryParams") or {}).items()]:
        result["query_parameters"] = query
    return result


def _path(uri: Mapping[str, Any], semantics: str) -> Json:
    if "exact" in uri:
        return {"path": uri["exact"]}
    if "regex" in uri:
        return {"safe_regex": {"regex": uri["regex"]}}
    prefix = uri.get("prefix", "/")
    if semantics and prefix != "/":
        return {"path_separated_prefix": prefix.removesuffix("/")}
    return {"prefix": prefix}


def _headers(match: Mapping[str, Any]) -> tuple[list[Json], list[Json]]:
    headers: list[Json] = []
    metadata: list[Json] = []
    for name, condition in (match.get("headers") or {}).items():
        claim = _claim(name, condition)
        (metadata if claim else headers).append(claim or _header(name, condition))
    for name, condition in (match.get("withoutHeaders") or {}).items():
        claim = _claim(name, condition)
        (metadata if claim else headers).append(_inverted(claim, name, condition))
    headers.sort(key=lambda one: str(one["name"]))
    special = ((_METHOD, "method"), (_AUTHORITY, "authority"), (_SCHEME, "scheme"))
    headers += [_header(name, match[field]) for name, field in special if match.get(field)]
    return headers, metadata


def _inverted(claim: Json | None, name: str, condition: Mapping[str, Any]) -> Json:
    if claim:
        return {**claim, "invert": True}
    result = {**_header(name, condition), "invert_match": True}
    if not only_present(condition):
        result["treat_missing_header_as_empty"] = True
    return result


def _header(name: str, condition: Mapping[str, Any] | None) -> Json:
    if only_present(condition):
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_match(condition or {})}


def _query(name: str, condition: Mapping[str, Any] | None) -> Json:
    if only_present(condition):
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_match(condition or {})}


def claim_path(name: str) -> list[str] | None:
    """The claims a header name of the form ``@request.auth.claims…`` refers to; None for other
    names.
    """
    found = _CLAIM.match(name.lower()) and _CLAIM.match(name)
    if not found:
        return None
    if found["dotted"]:
        return found["dotted"].split(".")
    return re.findall(r"\[([^\]]+)\]", found["bracketed"])


def _claim(name: str, condition: Mapping[str, Any] | None) -> Json | None:
    claims = claim_path(name)
    return claim_matcher(claims, string_match(condition or {})) if claims else None


def claim_matcher(claims: Sequence[str], matcher: Json) -> Json:
    """A MetadataMatcher for a JWT claim that is a text or a list of texts."""
    path = [{"key": JWT_PAYLOAD}, *({"key": one} for one in claims)]
    either = [
        {"string_match": matcher},
        {"list_match": {"one_of": {"string_match": matcher}}},
    ]
    return {
        "filter": JWT_METADATA,
        "path": path,
        "value": {"or_match": {"value_matchers": either}},
    }


def catches_all(match: Json) -> bool:
    """Whether nothing gets past this match."""
    path = (
        match.get("prefix") == "/"
        or match.get("path_separated_prefix") == "/"
        or (match.get("safe_regex") or {}).get("regex") == ".*"
    )
    return path and not any(match.get(one) for one in _CONDITIONS)


_CONDITIONS: Final = ("headers", "query_parameters", "dynamic_metadata")


def from_source(
    match: Mapping[str, Any] | None,
    *,
    labels: Mapping[str, str],
    namespace: str,
    gateways: frozenset[str],
) -> bool:
    """Whether a condition is meant for a client: its ``gateways``, else ``sourceLabels`` and
    ``sourceNamespace``.
    """
    if match is None:
        return True
    if wanted := match.get("gateways"):
        return not gateways.isdisjoint(wanted)
    expected = (match.get("sourceLabels") or {}).items()
    if not all(labels.get(key) == value for key, value in expected):
        return False
    return match.get("sourceNamespace") in (None, "", namespace)
