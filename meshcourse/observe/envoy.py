"""What an Envoy says about itself at its admin interface: its counters, and the routes it has. Pure.

Whoever calls says how to ask (an `Ask`); on every cluster that is ``pilot-agent request GET …`` in the pod.

Source: Envoy documentation, "Administration interface" (``/stats?filter=``, ``/config_dump?resource=``) and the
protocol messages ``config.route.v3``.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]
#: Path of the admin interface → the answer's text.
Ask = Callable[[str], str]
_COUNTER = re.compile(r"^(\S.*?): (\d+)$", re.M)
#: Characters of an answer's body.
_SHOWN = 40
ROUTES = "config_dump?resource=dynamic_route_configs"


@dataclass(frozen=True)
class Counters:
    """Counters and gauges by their full names."""

    values: Mapping[str, int]

    def __getitem__(self, ending: str) -> int:
        """The sum of all whose name ends so: ``counters["upstream_rq_retry"]``; 0 if there is none."""
        return sum(value for name, value in self.values.items() if name.endswith("." + ending))

    @property
    def total(self) -> int:
        """The sum of all."""
        return sum(self.values.values())

    def __sub__(self, before: Counters) -> Counters:
        """How much each rose since `before`."""
        return Counters({key: n - before.values.get(key, 0) for key, n in self.values.items()})

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {n}" for name, n in self.values.items()) or "no counters"


def counters(ask: Ask, pattern: str) -> Counters:
    """The counters whose names fit a regular expression.

    Istio's Envoys keep few counters of what they call, unless the pod's annotation ``proxy.istio.io/config`` asks for
    more (``proxyStatsMatcher``).
    """
    found = _COUNTER.findall(ask(f"stats?filter={quote(pattern)}"))
    return Counters({name: int(value) for name, value in found})


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    :param when: the conditions, all of which must hold.
    :param then: where the request goes.
    :param besides: timeout, retries, faults, mirrors.
    """

    when: str
    then: str
    besides: str

    def __str__(self) -> str:
        return f"if {self.when:<40} then {self.then}" + (
            f"  [{self.besides}]" if self.besides else ""
        )


@dataclass(frozen=True)
class Routes:
    """The routes of one host, in the order in which Envoy tries them."""

    host: str
    routes: tuple[Route, ...]

    def __len__(self) -> int:
        return len(self.routes)

    def __getitem__(self, index: int) -> Route:
        return self.routes[index]

    def __repr__(self) -> str:
        lines = [f"{number}. {route}" for number, route in enumerate(self.routes, 1)]
        return "\n".join(lines) or f'no routes for "{self.host}"'

    def _repr_html_(self) -> str:
        if not self.routes:
            return f"<i>{html.escape(repr(self))}</i>"
        rows = "".join(
            f"<tr><td>{number}</td>{_cell(route.when)}{_cell(route.then)}{_cell(route.besides)}</tr>"
            for number, route in enumerate(self.routes, 1)
        )
        head = "".join(
            f"<th style='text-align:left'>{name}</th>" for name in ("", "if", "then", "besides")
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def routes(ask: Ask, host: str) -> Routes:
    """The routes for requests to a host (``reviews``, ``shop.example.com``), as this Envoy has them now."""
    found = []
    for config in json.loads(ask(ROUTES)).get("configs") or ():
        for virtual in (config.get("route_config") or {}).get("virtual_hosts") or ():
            if any(_names(domain, host) for domain in virtual.get("domains") or ()):
                found += [_route(item) for item in virtual.get("routes") or () if not _tunnel(item)]
    return Routes(host, tuple(dict.fromkeys(found)))


def _names(domain: str, host: str) -> bool:
    return domain.split(":")[0] == host


def _tunnel(route: Json) -> bool:
    """CONNECT requests are not the learner's: they are how proxies pass on what they do not read."""
    return "connect_matcher" in (route.get("match") or {})


def _route(route: Json) -> Route:
    action = route.get("route") or {}
    faults = (route.get("typed_per_filter_config") or {}).get("envoy.filters.http.fault") or {}
    besides = [*_faults(faults), *_besides(action)]
    when = " and ".join(_conditions(route.get("match") or {})) or "anything"
    return Route(when, _then(route), ", ".join(besides))


def _conditions(match: Json) -> Iterator[str]:
    if match.get("path"):
        yield f"path = {match['path']}"
    elif match.get("safe_regex"):
        yield f"path ~ {match['safe_regex'].get('regex', '')}"
    elif match.get("path_separated_prefix"):
        yield f"path is {match['path_separated_prefix']} or below"
    elif match.get("prefix", "/") != "/":
        yield f"path begins with {match['prefix']}"
    for header in match.get("headers") or ():
        said = f"{header.get('name', '').lstrip(':')} {_text(header.get('string_match'))}"
        yield f"not ({said})" if header.get("invert_match") else said
    for parameter in match.get("query_parameters") or ():
        yield f"?{parameter.get('name', '')} {_text(parameter.get('string_match'))}"


def _text(match: Json | None) -> str:
    if not match:
        return "is there"
    for key, sign in (("exact", "="), ("prefix", "begins with"), ("suffix", "ends with")):
        if key in match:
            return f"{sign} {match[key]}"
    return f"~ {(match.get('safe_regex') or {}).get('regex', '')}"


def _then(route: Json) -> str:
    action = route.get("route") or {}
    if "redirect" in route:
        return "redirect"
    if answer := route.get("direct_response"):
        body = str((answer.get("body") or {}).get("inline_string", ""))
        return f"answer {answer.get('status', '')} {body[:_SHOWN]}".strip()
    weighted = (action.get("weighted_clusters") or {}).get("clusters") or ()
    shares = [f"{item.get('weight', 0)} → {cluster(item.get('name', ''))}" for item in weighted]
    return ", ".join(shares) or cluster(str(action.get("cluster", "")))


def cluster(name: str) -> str:
    """``outbound|9080|v1|reviews.default.svc.cluster.local`` as ``reviews v1``; other names as they are."""
    parts = name.split("|")
    if len(parts) != 4 or parts[0] != "outbound":
        return name
    return " ".join(item for item in (parts[3].split(".")[0], parts[2]) if item)


def _besides(action: Json) -> Iterator[str]:
    if action.get("timeout", "0s") != "0s":
        yield f"timeout {float(action['timeout'].rstrip('s')):g} s"
    retry = action.get("retry_policy") or {}
    if retry and retry.get("num_retries", 1):
        reasons = str(retry.get("retry_on", "")).split(",")
        shown = ", ".join(reasons[:2]) + (" …" if len(reasons) > 2 else "")
        yield f"{retry.get('num_retries', 1)} retries on {shown}"
    for mirror in action.get("request_mirror_policies") or ():
        yield f"copy to {cluster(mirror.get('cluster', ''))}"


def _faults(fault: Json) -> Iterator[str]:
    delay, abort = fault.get("delay") or {}, fault.get("abort") or {}
    if delay:
        yield f"delay {delay.get('fixed_delay', '')} for {_percent(delay)}"
    if abort:
        yield f"abort {abort.get('http_status', '')} for {_percent(abort)}"


def _percent(fault: Json) -> str:
    fraction = fault.get("percentage") or {}
    whole = {"TEN_THOUSAND": 10_000, "MILLION": 1_000_000}.get(fraction.get("denominator", ""), 100)
    return f"{100 * fraction.get('numerator', 0) / whole:g} %"


def _cell(text: str) -> str:
    return f"<td style='text-align:left'>{html.escape(text)}</td>"
