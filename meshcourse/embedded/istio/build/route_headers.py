"""Header operations of routes and destinations. Source: istio.io reference of Headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio.model import Json

_SET: Final = "OVERWRITE_IF_EXISTS_OR_ADD"
_ADD: Final = "APPEND_IF_EXISTS_OR_ADD"


@dataclass(frozen=True, slots=True)
class Operations:
    """Envoy's fields (``request_headers_to_add`` …), and the authority if the rule sets it."""

    fields: Json
    authority: str = ""


def option(name: str, value: str, *, append: bool = False) -> Json:
    """A HeaderValueOption."""
    return {
        "header": {"key": name, "value": value},
        "append_action": _ADD if append else _SET,
    }


def build(headers: Mapping[str, Any] | None) -> Operations:
    """The operations on request and response. ``set`` goes before ``add``; names are sorted as
    pilot does.
    """
    headers = headers or {}
    fields: Json = {}
    for side in ("request", "response"):
        found = headers.get(side) or {}
        added = _options(found.get("set"), append=False) + _options(found.get("add"), append=True)
        removed = [name for name in found.get("remove") or [] if not _internal(name)]
        if added:
            fields[f"{side}_headers_to_add"] = added
        if removed:
            fields[f"{side}_headers_to_remove"] = removed
    return Operations(fields, _authority(headers.get("request") or {}))


def _options(found: Mapping[str, Any] | None, *, append: bool) -> list[Json]:
    names = sorted(name for name in found or {} if not _internal(name))
    return [option(name, str((found or {})[name]), append=append) for name in names]


def _internal(name: str) -> bool:
    return name.startswith(":") or name.lower() == "host"


def _authority(request: Mapping[str, Any]) -> str:
    for operation in ("set", "add"):
        for name, value in (request.get(operation) or {}).items():
            if name.lower() in (":authority", "host"):
                return str(value)
    return ""


def merge(left: Json, right: Json) -> Json:
    """Both operations, left first."""
    return {key: [*left.get(key, []), *right.get(key, [])] for key in {**left, **right}}
