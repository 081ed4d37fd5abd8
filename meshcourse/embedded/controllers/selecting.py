"""LabelSelectors as objects carry them. Source: API reference, "LabelSelector"."""

from __future__ import annotations

from collections.abc import Mapping

from meshcourse.embedded.kube.objects import Object


def matches(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Whether `labels` fulfil a LabelSelector. None matches nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(term, labels) for term in selector.get("matchExpressions") or [])


def is_empty(selector: Object | None) -> bool:
    """Whether the selector selects everything."""
    return not (selector or {}).get("matchLabels") and not (selector or {}).get("matchExpressions")


def _holds(term: Object, labels: Mapping[str, str]) -> bool:
    value = labels.get(term["key"])
    match term["operator"]:
        case "In":
            return value is not None and value in term["values"]
        case "NotIn":
            return value is None or value not in term["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None
