"""``istioctl x authz check``: the AuthorizationPolicies that a proxy really has."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.commands.proxy_config import dump
from meshcourse.embedded.istioctl.context import Context, Failure

Json = dict[str, Any]
HEADER: Final = ["ACTION", "AuthorizationPolicy", "RULES"]
_ORDER: Final = ("DENY", "ALLOW", "LOG", "CUSTOM")
_NAME: Final = re.compile(r"(?:istio-ext-authz-)?ns\[(.+?)\]-policy\[(.+?)\]-rule\[(.+?)\]")
#: How the rule is named that denies everything because an ALLOW policy without rules matches nothing.
_ANONYMOUS: Final = "_anonymous_match_nothing_"
_GAP: Final = 3


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "authz",
        parents=parents,
        help="Inspect Istio AuthorizationPolicy",
        description="Looks at the AuthorizationPolicies that have arrived in proxies.",
    )
    parser.set_defaults(run=lambda _ctx, _options: _help(parser))
    group = parser.add_subparsers(dest="authz_command", metavar="COMMAND")
    check = group.add_parser(
        "check",
        parents=parents,
        help="Check AuthorizationPolicy applied in the pod.",
        description="Reads a proxy's configuration and lists the policies in it, whichever level they "
        "come from.",
        epilog="  istioctl x authz check deployment/productpage-v1\n"
        "  istioctl x authz check -f config_dump.json",
    )
    check.add_argument("pod", nargs="?", default="", help="[<type>/]<name>[.<namespace>]")
    check.add_argument("--file", "-f", default="", help="Envoy config dump JSON file")
    check.set_defaults(run=_check)


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _check(ctx: Context, options: argparse.Namespace) -> int:
    if not options.pod and not options.file:
        raise Failure("expecting pod name or config dump, found: 0")
    found = dump.load(ctx, options.pod, options.file)
    ctx.print(context.table([HEADER, *rows(found)], _GAP))
    return 0


def rows(config: Json) -> list[list[str]]:
    """One per action and policy, with the number of its rules."""
    found: dict[str, dict[str, set[str]]] = {}
    for action, name, rule in policies(config):
        found.setdefault(action, {}).setdefault(name, set()).add(rule)
    return [
        [action, name, str(len(rules))]
        for action in _ORDER
        for name, rules in sorted(found.get(action, {}).items())
    ]


def policies(config: Any) -> Iterator[tuple[str, str, str]]:
    """Action, policy (``name.namespace``) and rule of everything that authorizes, wherever it is.

    Real istiod writes policies into the filters of listeners; ours into routes, which can be changed
    without draining connections. So every part of the dump is looked through.
    """
    if isinstance(config, list):
        for one in config:
            yield from policies(one)
    elif isinstance(config, Mapping):
        if str(config.get("@type", "")).endswith((".rbac.v3.RBAC", ".RBACPerRoute")):
            yield from _filter(config.get("rbac") or config)
            return
        for one in config.values():
            yield from policies(one)


def _filter(rbac: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    rules = rbac.get("rules")
    if rules is not None:
        action = str(rules.get("action") or "ALLOW")
        names = list(rules.get("policies") or ())
        yield from ((action, *_named(name)) for name in names)
        if not names:
            yield action, _ANONYMOUS, "0"
    for name in (rbac.get("shadow_rules") or {}).get("policies") or ():
        if name.startswith("istio-ext-authz-"):
            yield "CUSTOM", *_named(name)


def _named(text: str) -> tuple[str, str]:
    """``("web.default", "0")`` for ``ns[default]-policy[web]-rule[0]``."""
    found = _NAME.search(text)
    return (f"{found[2]}.{found[1]}", found[3]) if found else (text, "0")
