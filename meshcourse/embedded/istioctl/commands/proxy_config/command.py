"""The subcommands of ``istioctl proxy-config``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.commands.proxy_config import (
    clusters,
    dump,
    endpoints,
    listeners,
    logs,
    rootca,
    routes,
    secrets,
)
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag

Json = dict[str, Any]
Run = Callable[[Context, argparse.Namespace], int]
_TITLES = {"ecds": "typed extension", "log": "logging levels"}
_SUMMARY = ("short", "")
#: Padding between columns, as istioctl has it.
_NARROW, _WIDE = 1, 5


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "proxy-config",
        aliases=["pc"],
        parents=parents,
        help="Retrieve information about proxy configuration from Envoy [kube only]",
        description="What a proxy really has, read from the Envoy itself.",
        epilog="  istioctl proxy-config <cluster|listener|route|endpoint|secret|...> <pod>[.<namespace>]",
    )
    parser.set_defaults(run=lambda ctx, options: _usage(parser))
    kinds = parser.add_subparsers(dest="kind", metavar="KIND")
    table: tuple[tuple[str, str, Run, Callable[[argparse.ArgumentParser], None] | None], ...] = (
        ("cluster", "clusters c", _clusters, clusters.add_filters),
        ("listener", "listeners l", _listeners, listeners.add_filters),
        ("route", "routes r", _routes, routes.add_filters),
        ("endpoint", "endpoints ep", _endpoints, endpoints.add_filters),
        ("secret", "secrets s", _secrets, None),
        ("bootstrap", "b", _bootstrap, None),
        ("ecds", "ec", _extensions, None),
        ("all", "a", _all, None),
        ("log", "o", logs.run, logs.add_options),
    )
    for name, aliases, run, add_filters in table:
        what = "of" if name == "log" else "configuration for"
        sub = kinds.add_parser(
            name,
            aliases=aliases.split(),
            parents=parents,
            help=f"Retrieves {_TITLES.get(name, name)} {what} the Envoy in the specified pod",
            epilog=f"  istioctl proxy-config {name} reviews-v1-abc.default\n"
            f"  istioctl proxy-config {name} deployment/reviews-v1 -o json",
        )
        sub.add_argument("pod", nargs="?", default="", help="[<type>/]<name>[.<namespace>]")
        sub.add_argument("--output", "-o", default="", help="one of json|yaml|short")
        sub.add_argument("--file", "-f", default="", help="Envoy config dump JSON file")
        flag(sub, "--verbose", default=True, help="Output more information")
        sub.set_defaults(run=run, title="endpoints" if name == "endpoint" else name)
        if add_filters is not None:
            add_filters(sub)
    rootca.add(kinds, parents)


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _show(
    ctx: Context, output: str, kind: str, data: Any, rows: list[list[str]], gap: int = _WIDE
) -> int:
    """As a table, or everything as JSON or YAML with the names that istioctl prints.

    :param kind: the type of message that `data` is, or is a list of.
    """
    if output not in _SUMMARY:
        # Not before it is needed: Envoy's types take longer to load than everything else here.
        from meshcourse.embedded.istioctl import protojson

        named = protojson.messages if isinstance(data, list) else protojson.message
        data = named(f"envoy.{kind}", data)
    return _print(ctx, output, data, rows, gap)


def _print(ctx: Context, output: str, data: Any, rows: list[list[str]], gap: int) -> int:
    """As a table, or everything as JSON or YAML."""
    if output in _SUMMARY:
        ctx.print(context.table(rows, gap))
    elif output == "json":
        ctx.print(json.dumps(data, indent=4))
    elif output == "yaml":
        ctx.print(yaml.safe_dump(data))
    else:
        raise Failure(f"output format {output!r} not supported")
    return 0


def _load(ctx: Context, options: argparse.Namespace) -> Json:
    return dump.load(ctx, options.pod, options.file, title=options.title)


def _clusters(ctx: Context, options: argparse.Namespace) -> int:
    found = clusters.select(dump.clusters(_load(ctx, options)), options)
    rows = [clusters.HEADER, *clusters.rows(found)]
    return _show(ctx, options.output, "config.cluster.v3.Cluster", found, rows)


def _listeners(ctx: Context, options: argparse.Namespace) -> int:
    found = listeners.select(dump.listeners(_load(ctx, options)), options)
    header = listeners.HEADER if options.verbose else listeners.SHORT_HEADER
    rows = [header, *listeners.rows(found, verbose=options.verbose)]
    return _show(ctx, options.output, "config.listener.v3.Listener", found, rows, _NARROW)


def _routes(ctx: Context, options: argparse.Namespace) -> int:
    found = routes.select(dump.routes(_load(ctx, options)), options)
    header = routes.HEADER if options.verbose else routes.SHORT_HEADER
    rows = [header, *routes.rows(found, verbose=options.verbose)]
    return _show(ctx, options.output, "config.route.v3.RouteConfiguration", found, rows)


def _endpoints(ctx: Context, options: argparse.Namespace) -> int:
    page = "clusters?format=json"
    statuses = dump.load(ctx, options.pod, options.file, page, title=options.title)
    found = endpoints.select(statuses, options)
    rows = [endpoints.HEADER, *endpoints.rows(found)]
    return _show(ctx, options.output, "admin.v3.ClusterStatus", found, rows)


def _secrets(ctx: Context, options: argparse.Namespace) -> int:
    found = _load(ctx, options)
    rows = secrets.rows(found)
    if not rows and options.output in _SUMMARY:
        ctx.print("No active or warming secrets found.")
        return 0
    data = secrets.in_bytes(dump.section(found, "SecretsConfigDump"))
    return _show(ctx, options.output, "admin.v3.SecretsConfigDump", data, [secrets.HEADER, *rows])


def _bootstrap(ctx: Context, options: argparse.Namespace) -> int:
    part = dump.section(_load(ctx, options), "BootstrapConfigDump")
    output = options.output or "json"
    kind = "admin.v3.BootstrapConfigDump"
    return _show(ctx, output, kind, part, _versions(part), _NARROW)


def _versions(part: Json) -> list[list[str]]:
    node = (part.get("bootstrap") or {}).get("node") or {}
    version = (node.get("user_agent_build_version") or {}).get("version") or {}
    number = ".".join(str(version.get(key, 0)) for key in ("major_number", "minor_number", "patch"))
    istio = str((node.get("metadata") or {}).get("ISTIO_VERSION", ""))
    return [["Istio Version:", istio], ["Envoy Version:", number]]


def _extensions(ctx: Context, options: argparse.Namespace) -> int:
    found = dump.extensions(_load(ctx, options))
    filters = [entry["ecds_filter"] for entry in found["ecds_filters"]]
    rows = [[one["name"], one["typed_config"]["@type"].rpartition(".")[2]] for one in filters]
    header = ["ECDS NAME", "TYPE"]
    return _show(ctx, options.output, "admin.v3.EcdsConfigDump", found, [header, *rows])


def _all(ctx: Context, options: argparse.Namespace) -> int:
    found = _load(ctx, options)
    if options.output not in _SUMMARY:
        return _print(ctx, options.output, found, [], _WIDE)  # Envoy's own answer, names and all
    every = argparse.Namespace(
        fqdn="",
        direction="",
        subset="",
        port=0,
        address="",
        type="",
        name="",
        cluster="",
        status="",
    )
    shown = {
        "clusters": [clusters.HEADER, *clusters.rows(clusters.select(dump.clusters(found), every))],
        "listeners": [
            listeners.HEADER,
            *listeners.rows(listeners.select(dump.listeners(found), every), verbose=True),
        ],
        "routes": [
            routes.HEADER,
            *routes.rows(routes.select(dump.routes(found), every), verbose=True),
        ],
        "secrets": [secrets.HEADER, *secrets.rows(found)],
    }
    if not options.file:
        statuses = dump.load(ctx, options.pod, "", "clusters?format=json")
        hosts = endpoints.select(statuses, every)
        shown["endpoints"] = [endpoints.HEADER, *endpoints.rows(hosts)]
    tables = [
        context.table(rows, _NARROW if name == "listeners" else _WIDE)
        for name, rows in shown.items()
    ]
    ctx.print("\n\n".join(tables))
    return 0
