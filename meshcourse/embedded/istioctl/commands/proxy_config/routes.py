"""Routes: which request goes to which cluster.

On Istio each port has an outbound route configuration of its own, named like the port. Here all of them are one,
``outbound``; tables and ``--name 9080`` show its virtual hosts under their port, JSON shows it as it is.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Any

from meshcourse.embedded.istioctl.commands.proxy_config import dump

Json = dict[str, Any]
HEADER = ["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"]
SHORT_HEADER = ["NAME", "VIRTUAL HOSTS"]
_SHOWN_DOMAINS = 2
#: The embedded cluster's one outbound configuration.
_OUTBOUND = "outbound"


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="", help="Filter by route name field")


def select(found: list[Json], options: argparse.Namespace) -> list[Json]:
    chosen = [one for one in found if options.name in ("", one.get("name", ""))]
    if options.name.isdigit():
        chosen += [part for one in found for part in _at_port(one, options.name)]
    return sorted(chosen, key=_sort_key)


def _at_port(configuration: Json, port: str) -> Iterator[Json]:
    """What of the one outbound configuration is for a port."""
    hosts = configuration.get("virtual_hosts") or ()
    kept = [host for host in hosts if _port(configuration, host) == port]
    if kept:
        yield {**configuration, "virtual_hosts": kept}


def _port(configuration: Json, host: Json) -> str:
    """The port of a virtual host of the outbound configuration; "" of all others."""
    port = str(host.get("name", "")).rpartition(":")[2]
    return port if _name(configuration) == _OUTBOUND and port.isdigit() else ""


def _sort_key(route: Json) -> tuple[int, int, str]:
    name = str(route.get("name", ""))
    return (0, int(name), "") if name.isdigit() else (1, 0, name)


def rows(found: list[Json], *, verbose: bool) -> list[list[str]]:
    if verbose:
        return sorted((row for one in found for row in _hosts(one)), key=_row_key)
    counts: Counter[str] = Counter({_name(one): 0 for one in found if _name(one) != _OUTBOUND})
    counts.update(
        _port(one, host) or _name(one) for one in found for host in one.get("virtual_hosts") or ()
    )
    return sorted(([name, str(count)] for name, count in counts.items()), key=_row_key)


def _row_key(row: list[str]) -> tuple[int, int, str]:
    return _sort_key({"name": row[0]})


def _name(route: Json) -> str:
    return str(route.get("name", ""))


def _hosts(configuration: Json) -> Iterator[list[str]]:
    for host in configuration.get("virtual_hosts") or ():
        where = [
            _port(configuration, host) or _name(configuration),
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
    names = names or [one.rpartition(":")[0] for one in found]
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
