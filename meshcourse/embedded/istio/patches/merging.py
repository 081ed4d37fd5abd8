"""Merging of messages in proto3-JSON, as protocol buffers merge: scalars are replaced, messages
merged field by field, lists appended.

Users write fields in snake_case or camelCase; what is there decides how a field is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio.model import Json

_TYPED_STRUCT: Final = "TypedStruct"
_TYPE: Final = "@type"
#: Fields of which a message has one at most: a new one takes the place of another.
_ALTERNATIVES: Final = (
    frozenset(("route", "redirect", "direct_response", "filter_action", "non_forwarding_action")),
    frozenset(
        (
            "prefix",
            "path",
            "safe_regex",
            "path_separated_prefix",
            "connect_matcher",
            "path_match_policy",
            "exact",
            "suffix",
            "contains",
        )
    ),
    frozenset(
        ("cluster", "weighted_clusters", "cluster_header", "inline_cluster_specifier_plugin")
    ),
    frozenset(("rds", "route_config", "scoped_routes")),
    frozenset(("typed_config", "config_discovery")),
    frozenset(("type", "cluster_type")),
    frozenset(("host_rewrite_literal", "auto_host_rewrite", "host_rewrite_header")),
)


def plain(value: Any) -> Any:
    """A user's value with every TypedStruct replaced by the message that it stands for."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if str(value.get(_TYPE) or "").endswith(_TYPED_STRUCT):
        url = value.get("type_url") or value.get("typeUrl")
        return {_TYPE: url, **plain(value.get("value") or {})}
    return {key: plain(one) for key, one in value.items()}


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """`base` with `patch` merged into it, as a copy."""
    result = dict(base)
    for key, value in patch.items():
        name = _field(result, key)
        for group in _ALTERNATIVES:
            if _snake(name) in group:
                _drop_others(result, name, group)
        result[name] = _value(result.get(name), value)
    return result


def _drop_others(result: Json, name: str, group: frozenset[str]) -> None:
    for other in [one for one in result if one != name and _snake(one) in group]:
        del result[other]


def _value(old: Any, new: Any) -> Any:
    if isinstance(old, list) and isinstance(new, list):
        return [*old, *new]
    if isinstance(old, dict) and isinstance(new, dict):
        other_type = _TYPE in old and _TYPE in new and old[_TYPE] != new[_TYPE]
        return new if other_type else merged(old, new)
    return new


def _field(base: Mapping[str, Any], key: str) -> str:
    if key in base:
        return key
    return next((one for one in base if _snake(one) == _snake(key)), key)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)
