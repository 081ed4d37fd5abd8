"""EnvoyFilter, ProxyConfig and WasmPlugin."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from meshcourse.embedded.istio.validate import names, regex
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items
from meshcourse.embedded.istio.validate.item import Item

_HCM: Final = "envoy.filters.network.http_connection_manager"
_LISTENER: Final = ("LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER")
_ROUTE: Final = ("ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE")
_DEPRECATED: Final = {
    "envoy.http_connection_manager": _HCM,
    "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
    "envoy.router": "envoy.filters.http.router",
    "envoy.cors": "envoy.filters.http.cors",
    "envoy.fault": "envoy.filters.http.fault",
    "envoy.ext_authz": "envoy.filters.http.ext_authz",
    "envoy.lua": "envoy.filters.http.lua",
    "envoy.rate_limit": "envoy.filters.http.ratelimit",
}


def envoy_filter(item: Item) -> Findings:
    """An EnvoyFilter, whose patches must fit what they are applied to."""
    yield Warn(
        "EnvoyFilter exposes internal implementation details that may change at any time. "
        "Prefer other APIs if possible, and exercise extreme caution, especially around upgrades."
    )
    for found in names.selector(item.spec.get("workloadSelector"), field="labels"):
        if not isinstance(found, Warn):
            yield found
            return
        yield Warn(f"Envoy filter: {found}, will be applied to all services in namespace")
    for patch in items(item.spec.get("configPatches")):
        for problem in _patch(patch):
            yield problem if isinstance(problem, Warn) else f"Envoy filter: {problem}"
            if not isinstance(problem, Warn):
                break


def _patch(patch: Spec | None) -> Findings:
    if patch is None:
        yield "null config patch"
        return
    match, change = patch.get("match") or {}, patch.get("patch")
    if (patch.get("applyTo") or "INVALID") == "INVALID":
        yield "missing applyTo"
    if change is None:
        yield "missing patch"
        return
    operation = change.get("operation") or "INVALID"
    if operation == "INVALID":
        yield "missing patch operation"
    if operation != "REMOVE" and change.get("value") is None:
        yield "missing patch value for non-remove operation"
    version = (match.get("proxy") or {}).get("proxyVersion")
    if version and (problem := regex.complaint(version)):
        yield f"invalid regex for proxy version, [{problem}]"
    yield from _match(str(patch.get("applyTo")), match)


def _match(apply_to: str, match: Spec) -> Findings:
    kinds = [one for one in ("listener", "routeConfiguration", "cluster") if one in match]
    if not kinds:
        return
    if apply_to in _LISTENER:
        if kinds != ["listener"]:
            yield "applyTo for listener class objects cannot have non listener match"
        else:
            chain = match["listener"].get("filterChain") or {}
            yield from _filter(apply_to, chain.get("filter"))
    elif apply_to in _ROUTE and kinds != ["routeConfiguration"]:
        yield "applyTo for http route class objects cannot have non route configuration match"
    elif apply_to == "CLUSTER" and kinds != ["cluster"]:
        yield "applyTo for cluster class objects cannot have non cluster match"


def _filter(apply_to: str, found: Spec | None) -> Findings:
    if found is None:
        return
    if apply_to in ("LISTENER", "FILTER_CHAIN"):
        yield Warn(f"Envoy filter: filter match has no effect when used with {apply_to}")
    name, sub_filter = found.get("name") or "", found.get("subFilter")
    if not name:
        yield "filter match has no name to match on"
    if sub_filter is not None:
        if apply_to != "HTTP_FILTER":
            yield "subfilter match can be used with applyTo HTTP_FILTER only"
        if name not in (_HCM, "envoy.http_connection_manager"):
            yield f"subfilter match requires filter match with {_HCM}"
        if not sub_filter.get("name"):
            yield "subfilter match has no name to match on"
    for used in (name, (sub_filter or {}).get("name") or ""):
        if used in _DEPRECATED:
            new = _DEPRECATED[used]
            yield Warn(f'using deprecated filter name "{used}"; use "{new}" instead')


def proxy_config(item: Item) -> Findings:
    """A ProxyConfig object."""
    yield from names.selector(item.spec.get("selector"))
    if int(item.spec.get("concurrency") or 0) < 0:
        yield "concurrency must be greater than or equal to 0"


def wasm_plugin(item: Item) -> Findings:
    """A WasmPlugin."""
    spec = item.spec
    yield from names.targets(spec)
    url = str(spec.get("url") or "")
    scheme = urlsplit(url).scheme
    if not url:
        yield "url field needs to be set"
    elif scheme not in ("", "file", "http", "https", "oci"):
        yield f"url contains unsupported scheme: {scheme}"
    digest = str(spec.get("sha256") or "")
    if digest and len(digest) != 64:
        yield "sha256 field must be 64 characters long"
    elif digest and not re.fullmatch(r"[a-f0-9]{64}", digest):
        yield "sha256 field must match [a-f0-9]{64} pattern"
    if len(str(spec.get("imagePullSecret") or "")) > 253:
        yield "imagePullSecret field must be less than 253 characters long"
    if len(str(spec.get("pluginName") or "")) > 256:
        yield "pluginName field must be less than 255 characters long"
    yield from _variables((spec.get("vmConfig") or {}).get("env"))


def _variables(found: object) -> Findings:
    seen: set[str] = set()
    for variable in items(found):
        name = variable.get("name") or ""
        if not name:
            yield "spec.vmConfig.env invalid"
        elif name in seen:
            yield "duplicate env"
        elif variable.get("valueFrom") == "HOST" and variable.get("value"):
            yield "value may only be set when valueFrom is INLINE"
        seen.add(name)
