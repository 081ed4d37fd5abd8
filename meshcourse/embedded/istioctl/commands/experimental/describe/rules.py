"""What VirtualServices and DestinationRules mean for a service and its pods, in lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshcourse.embedded.istioctl.commands.experimental.describe import text
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

Labels = Mapping[str, str]
_SUFFIX: Final = ".svc.cluster.local"
_IN, _DEEPER = "   ", "      "
_POLICIES: Final = {
    "loadBalancer": "load balancer",
    "connectionPool": "connection pool",
    "outlierDetection": "outlier detection",
}


@dataclass(frozen=True, slots=True)
class Subsets:
    """The subsets of a DestinationRule, by whether they select one of the pods.

    :param rule: how the rule is called; "" if there is none.
    """

    matching: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    rule: str = ""


def subsets(rule: Object, pods: Sequence[Labels], home: str) -> Subsets:
    """:param home: the namespace that need not be said."""
    found = Subsets(rule=text.name(rule, home))
    for one in objects.dig(rule, "spec.subsets", []):
        selected = any((one.get("labels") or {}).items() <= labels.items() for labels in pods)
        (found.matching if selected else found.others).append(str(one.get("name", "")))
    return found


def destination_rule(rule: Object, pods: Sequence[Labels], home: str) -> Iterator[str]:
    yield f'DestinationRule: {text.name(rule, home)} for "{objects.dig(rule, "spec.host", "")}"'
    found = subsets(rule, pods, home)
    others = ",".join(found.others)
    if found.matching or found.others:
        if not found.matching:
            yield f"{_IN}WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets {others})"
        yield f"{_IN}Matching subsets: {','.join(found.matching)}"
        if found.others:
            yield f"{_DEEPER}(Non-matching subsets {others})"
    yield from _traffic_policy(objects.dig(rule, "spec.trafficPolicy"))


def _traffic_policy(policy: Object | None) -> Iterator[str]:
    if policy is None:
        yield f"{_IN}No Traffic Policy"
        return
    if policy.get("tls") is not None:
        yield f"{_IN}Traffic Policy TLS Mode: {policy['tls'].get('mode', 'DISABLE')}"
    if short := _short(policy):
        yield f"{_IN}{short}"
    if policy.get("portLevelSettings"):
        yield f"{_IN}Port Level Settings:"
    for one in policy.get("portLevelSettings") or ():
        yield f"    {objects.dig(one, 'port.number', 0)}:"
        if one.get("tls") is not None:
            yield f"{_DEEPER}TLS Mode: {one['tls'].get('mode', 'DISABLE')}"
        if short := _short(one):
            yield f"{_DEEPER}{short}"


def _short(policy: Object) -> str:
    named = [title for key, title in _POLICIES.items() if policy.get(key) is not None]
    return f"Policies: {'/'.join(named)}" if named else ""


def virtual_service(service: Object, target: Object, known: Subsets, home: str) -> Iterator[str]:
    """Which rules lead to the service `target`."""
    yield f"VirtualService: {text.name(service, home)}"
    spec = service.get("spec") or {}
    http, tcp = spec.get("http") or [], spec.get("tcp") or []
    judged = [_http(service, route, target, known) for route in http]
    judged += [_tcp(service, route, target) for route in tcp]
    facts = [fact for matches, found in judged if matches for fact in found]
    notes = [note for matches, found in judged if not matches for note in found]
    count = sum(matches for matches, _ in judged)
    yield from (f"{_IN}{fact}" for fact in facts)
    possible = len(judged) + len(spec.get("tls") or [])
    if not count:
        yield from _none(len(http), len(tcp), notes)
    elif count < possible:
        rest = possible - count
        yield f"{_IN}{rest} additional destination(s) that will not reach this pod"
        yield from (f"{_DEEPER}{note}" for note in notes if not facts)
    elif not facts:
        yield from (f"{_IN}{len(http)} HTTP route(s)" for _ in http[:1])
        yield from (f"{_IN}{len(tcp)} TCP route(s)" for _ in tcp[:1])


def _none(http: int, tcp: int, notes: Sequence[str]) -> Iterator[str]:
    for count, kind in ((http, "HTTP"), (tcp, "TCP")):
        if count:
            routes = f"(checked {count} {kind} routes)"
            yield f"{_IN}WARNING: No destinations match pod subsets {routes}"
    yield from (f"{_DEEPER}{note}" for note in notes)


def _same(host: str, rule: Object, target: Object) -> bool:
    """Whether a host in a rule means the service."""
    full = host if "." in host else f"{host}.{objects.namespace(rule)}"
    wanted = f"{objects.name(target)}.{objects.namespace(target)}{_SUFFIX}"
    return (full if full.endswith(_SUFFIX) else f"{full}{_SUFFIX}") == wanted


def _http(rule: Object, route: Object, target: Object, known: Subsets) -> tuple[bool, list[str]]:
    """Whether a route leads to the pods, and what there is to say about it."""
    facts, notes, match = [], [], False
    for one in route.get("route") or ():
        destination = one.get("destination") or {}
        host, subset = str(destination.get("host", "")), str(destination.get("subset") or "")
        weight = one.get("weight", 0)
        if not _same(host, rule, target):
            facts.append(
                f"Route to {host} with invalid config"
                if subset
                else f'Route to host "{host}" with weight {weight}%'
            )
        elif subset and subset not in known.matching:
            notes.append(_mismatch(subset, route, known))
        else:
            match = True
            part = f' subset "{subset}"' if subset else ""
            facts += [f'Route to host "{host}"{part} with weight {weight}%'] if weight else []
    if not match:
        return False, facts + notes
    about = [f"Fault injection {text.fault(route['fault'])}"] if route.get("fault") else []
    about += [text.match(one) for one in route.get("match") or ()]
    return True, facts + ([", ".join(about)] if about else [])


def _mismatch(subset: str, route: Object, known: Subsets) -> str:
    if subset in known.others:
        conditions = ", ".join(text.match(one) for one in route.get("match") or ())
        return f"Route to non-matching subset {subset} for ({conditions or 'everything'})"
    if not known.rule:
        return f"Warning: Route to subset {subset} but NO DESTINATION RULE defining subsets!"
    return f"Warning: Route to UNKNOWN subset {subset}; check DestinationRule {known.rule}"


def _tcp(rule: Object, route: Object, target: Object) -> tuple[bool, list[str]]:
    hosts = (objects.dig(one, "destination.host", "") for one in route.get("route") or ())
    if not any(_same(str(host), rule, target) for host in hosts):
        return False, []
    return True, [text.proto(one) for one in route.get("match") or ()]
