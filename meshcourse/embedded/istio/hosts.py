"""Host names: short names, wildcards, which of several is the most specific.

Source: istio.io reference of VirtualService (short names are interpreted in the rule's namespace),
pkg/config/host.
"""

from __future__ import annotations

from collections.abc import Iterable


def resolve(host: str, namespace: str, domain: str) -> str:
    """The full name meant by `host` in an object of `namespace`.

    Names with a dot are taken as they are, a single label is a service of the same namespace.
    """
    if not host or "." in host or host == "*":
        return host
    return f"{host}.{namespace}.svc.{domain}"


def wild(host: str) -> bool:
    """Whether the host is a pattern (``*``, ``*.example.com``, ``*-suffix``)."""
    return host.startswith("*")


def matches(left: str, right: str) -> bool:
    """Whether two hosts, either of which may be a pattern, have a name in common."""
    if wild(left) and wild(right):
        one, two = left[1:], right[1:]
        return one.endswith(two) or two.endswith(one)
    if wild(left):
        return right.endswith(left[1:])
    if wild(right):
        return left.endswith(right[1:])
    return left == right


def within(name: str, pattern: str) -> bool:
    """Whether every name that `name` stands for matches `pattern`."""
    if not wild(pattern):
        return name == pattern
    tail = name[1:] if wild(name) else name
    return tail.endswith(pattern[1:]) and (not wild(name) or len(tail) >= len(pattern[1:]))


def specificity(host: str) -> tuple[bool, int, str]:
    """Sort key, most specific first: exact names before patterns, long before short."""
    return wild(host), -len(host), host


def most_specific(name: str, candidates: Iterable[str]) -> str | None:
    """The most specific candidate that covers `name`."""
    found = [one for one in candidates if within(name, one)]
    return min(found, key=specificity) if found else None
