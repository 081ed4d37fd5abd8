"""JSON merge patch. Source: RFC 7386."""

from __future__ import annotations

from typing import Any


def apply(target: Any, patch: Any) -> Any:
    """`target` changed by `patch`; neither is modified (parts may be shared)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = apply(merged.get(field), value)
    return merged
