"""What a URL path of the API refers to. Source: Kubernetes API concepts ("Resource URIs")."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

_NAMESPACE_PARTS = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class Target:
    """A resource in a URL; empty strings for what the path does not have. `tail` follows ``proxy``."""

    group: str
    version: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    tail: str = ""
    watch: bool = False


def parse(raw_path: str) -> Target | None:
    """The resource (or group version) that a path refers to; None if the path is no resource's."""
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    watch = bool(rest) and rest[0] == "watch"
    return _resource(group, version, rest[1:] if watch else rest, watch)


def _resource(group: str, version: str, rest: list[str], watch: bool) -> Target:
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and not _of_namespace(group, rest):
        namespace, rest = rest[1], rest[2:]
    padded = [*rest, "", "", ""]
    return Target(
        group, version, padded[0], namespace, padded[1], padded[2], "/".join(rest[3:]), watch
    )


def _of_namespace(group: str, rest: list[str]) -> bool:
    """``namespaces/x/status`` is a subresource of the namespace, not a resource in it."""
    return group == "" and len(rest) == 3 and rest[2] in _NAMESPACE_PARTS
