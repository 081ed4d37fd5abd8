"""Routes: which request goes to which cluster."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from meshcourse.embedded.istioctl.commands.proxy_config import dump

Json = dict[str, Any]
HEADER = ["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"]
SHORT_HEADER = ["NAME", "VIRTUAL HOSTS"]
_SHOWN_DOMAINS = 2


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="", help="Filter by route name field")


def select(found: list[Json], options: argparse.Namespace) -> list[Json]:
    chosen = [one for one in found if options.name in ("", one.get("name", ""))]
    return sorted(chosen, key=_sort_key)


def _sort_key(route: Json) -> tuple[int, int, str]:
    name = str(route.get("name", ""))
    return (0, int(name), "") if name.isdigit() else (1, 0, name)


def rows(found: list[Json], *, verbose: bool) -> list[list[str]]:
    if not verbose:
        return [[_name(one), str(len(one.get("virtual_hosts") or ()))] for one in found]
    return [row for one in found for row in _hosts(one)]


def _name(route: Json) -> str:
    return str(route.get("name", ""))


def _hosts(configuration: Json) -> Iterator[list[str]]:
    for host in configuration.get("virtual_hosts") or ():
        where = [
            _name(configuration),
            str(host.get("name", "")),
            domains(host.get("domains") or []),
        ]
        found = [one for one in host.get("routes") or () if not _tunnel(one)]
        for route in found:
            if (route.get("route") or {}).get("cluster") != "PassthroughCluster":
                yield [*where, match(route.get("match") or {}), dump.origin(route)]
        if not found:
            yield [*where, "/*", "404"]


def _tunnel(route: Json) -> bool:
    """The routes by which CONNECT requests are captured exist only on the embedded cluster."""
    return "connect_matcher" in (route.get("match") or {})


def domains(found: list[str]) -> str:
    """The telling ones: without ports, without the longer forms of a name that is there already."""
    if len(found) <= 1:
        return "".join(found)
    names = [one for one in found if ":" not in one]
    short = [one for one in names if not _longer_form(one, names)]
    shown = ", ".join(short[:_SHOWN_DOMAINS])
    rest = len(short) - _SHOWN_DOMAINS
    return f"{shown} + {rest} more..." if rest > 0 else shown


def _longer_form(name: str, names: list[str]) -> bool:
    stems = (name.removesuffix(".svc.cluster.local"), name.removesuffix(".svc"))
    return any(stem != name and stem in names for stem in stems)


def match(found: Json) -> str:
    """The path condition; headers are not shown, as in istioctl."""
    parts = []
    if found.get("prefix"):
        parts.append(f"{found['prefix']}*")
    if found.get("path_separated_prefix"):
        parts.append(f"PathPrefix:{found['path_separated_prefix']}")
    if found.get("path"):
        parts.append(found["path"])
    if found.get("safe_regex"):
        parts.append(f"regex {found['safe_regex'].get('regex', '')}")
    return " ".join(parts)


def inline(configuration: Json) -> str:
    """A route configuration that is part of a listener, in one line."""
    hosts = configuration.get("virtual_hosts") or []
    only = _only_cluster(hosts)
    if only:
        return only if "Cluster" in only else f"Cluster: {only}"
    parts = []
    for host in hosts:
        names = host.get("domains") or []
        paths = ", ".join(match(one.get("match") or {}) for one in host.get("routes") or ())
        parts.append(paths if names == ["*"] else f"{'/'.join(names)} {paths}")
    return f"Inline Route: {'; '.join(parts)}"


def _only_cluster(hosts: list[Json]) -> str:
    """The cluster, if everything goes to one."""
    if len(hosts) != 1 or hosts[0].get("domains") != ["*"]:
        return ""
    found = hosts[0].get("routes") or []
    if len(found) != 1 or (found[0].get("match") or {}).get("prefix") != "/":
        return ""
    return str((found[0].get("route") or {}).get("cluster") or "")
