"""HTTP routes of a VirtualService."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.build import route_faults
from meshcourse.embedded.istio.validate import headers, names, regex, route_tcp
from meshcourse.embedded.istio.validate.findings import (
    Findings,
    Spec,
    Warn,
    items,
    pairs,
    quoted,
)

_RETRY_ON: Final = frozenset(
    (
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    )
)
_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
)
_STATUSES: Final = frozenset(str(int(one)) for one in HTTPStatus)
_KIB: Final = 1024


def check(route: Spec, *, delegate: bool) -> Findings:
    """One HTTP route. `delegate`: the VirtualService has no hosts."""
    yield from _conflicts(route, delegate=delegate)
    yield from _matches(route)
    yield from headers.operations(route.get("headers"))
    yield from _cors(route.get("corsPolicy"))
    yield from _fault(route.get("fault"))
    yield from _mirror_share(route)
    yield from route_tcp.destination(route.get("mirror"))
    yield from _mirrors(route)
    yield from _redirect(route.get("redirect"))
    yield from _direct_response(route.get("directResponse"))
    yield from _retries(route.get("retries"))
    yield from _rewrite(route.get("rewrite"))
    yield from _authority(route)
    yield from route_tcp.destinations(route, with_headers=True)
    yield from names.duration(route.get("timeout"))


def _conflicts(route: Spec, *, delegate: bool) -> Findings:
    if route.get("delegate") is not None and not delegate:
        yield from _root_conflicts(route)
        return
    if delegate and route.get("delegate") is not None:
        yield "delegate HTTP route cannot contain delegate"
    if route.get("redirect") is not None:
        yield from _exclusive(route, "redirect", "redirect")
        if route.get("directResponse") is not None:
            yield "HTTP route rule cannot contain both direct_response and redirect"
    elif route.get("directResponse") is not None:
        yield from _exclusive(route, "directResponse", "direct_response")
    elif not items(route.get("route")):
        yield "HTTP route, redirect or direct_response is required"
    if route.get("mirror") is not None and items(route.get("mirrors")):
        yield "HTTP route cannot contain both mirror and mirrors"


def _root_conflicts(route: Spec) -> Findings:
    name = route.get("name") or ""
    for field in ("redirect", "route"):
        if route.get(field) is not None:
            yield f"root HTTP route {name} must not specify {field}"


def _exclusive(route: Spec, field: str, shown: str) -> Findings:
    if items(route.get("route")):
        yield f"HTTP route cannot contain both route and {shown}"
    if route.get("fault") is not None:
        yield f"HTTP route cannot contain both fault and {shown}"
    if route.get("rewrite") is not None:
        yield f"HTTP route rule cannot contain both rewrite and {shown}"


def _matches(route: Spec) -> Findings:
    found = [one for one in items(route.get("match")) if one is not None]
    for match in found:
        yield from _match(match)
    for match in found:
        if match.get("port"):
            yield from names.port(match["port"])
        yield from names.labels(match.get("sourceLabels"))
        yield from route_tcp.gateway_names(items(match.get("gateways")))
        namespace = match.get("sourceNamespace")
        if namespace and not names.is_label(namespace):
            yield f"sourceNamespace match {namespace} is invalid"


def _match(match: Spec) -> Findings:
    for name, found in pairs(match.get("headers")):
        if found is None:
            yield f"header match {name} cannot be null"
        yield from headers.name_or_claim(name)
        yield from headers.condition(found, "headers")
    for name, found in pairs(match.get("withoutHeaders")):
        yield from headers.name_or_claim(name)
        if found is not None and found.get("regex") != "*":
            yield from headers.condition(found, "withoutHeaders")
    yield from headers.expression(match.get("uri"), "uri")
    for field in ("scheme", "method", "authority"):
        yield from headers.condition(match.get(field), field)
    for _, found in pairs(match.get("queryParams")):
        yield from headers.condition(found, "queryParams")


def _cors(policy: Spec | None) -> Findings:
    if policy is None:
        return
    for origin in items(policy.get("allowOrigins")):
        given = origin.get("exact") or origin.get("prefix") or origin.get("regex") or ""
        if not given:
            yield "'' is not a valid match type for CORS allow origins"
        else:
            yield from headers.expression(origin, "corsPolicy.allowOrigins")
    for method in items(policy.get("allowMethods")):
        if method not in _METHODS:
            yield f"{quoted(method)} is not a supported HTTP method"
    for field in ("allowHeaders", "exposeHeaders"):
        for name in items(policy.get(field)):
            yield from headers.cors_name(name)
    yield from _max_age(policy.get("maxAge"))


def _max_age(text: Any) -> Findings:
    if text is None:
        return
    yield from names.duration(text)
    if durations.seconds(str(text)) % 1:
        yield "max_age duration is accurate only to seconds precision"


def _fault(fault: Spec | None) -> Findings:
    if fault is None:
        return
    abort, delay = fault.get("abort"), fault.get("delay")
    if abort is None and delay is None:
        yield "HTTP fault injection must have an abort and/or a delay"
    if abort is not None:
        yield from _abort(abort)
    if delay is not None:
        yield from names.percentage(delay.get("percentage"))
        if delay.get("percent") is not None:
            # Istio takes the old spelling without a word, and refuses it for aborts.
            yield Warn('using deprecated setting "percent", use "percentage" instead')
        yield from names.duration(delay.get("fixedDelay"))
        if delay.get("exponentialDelay") is not None:
            yield from names.duration(delay["exponentialDelay"])
            yield "exponentialDelay not supported yet"


def _abort(abort: Spec) -> Findings:
    yield from names.percentage(abort.get("percentage"))
    if "grpcStatus" in abort:
        if abort["grpcStatus"] not in route_faults.GRPC_STATUS:
            yield (
                f"gRPC status {quoted(abort['grpcStatus'])} is not supported. See "
                "https://github.com/grpc/grpc/blob/master/doc/statuscodes.md "
                "for a list of supported codes, for example 'NOT_FOUND'"
            )
    elif "http2Error" in abort:
        yield "HTTP/2 abort fault injection not supported yet"
    elif "httpStatus" in abort:
        yield from _status(abort["httpStatus"])
    else:
        yield Warn("abort configured, but error type not set")


def _status(value: Any) -> Findings:
    number = int(value or 0)
    if not 200 <= number < 600:  # pilot lets 600 pass, which Envoy refuses
        yield f"HTTP status {number} is not in range 200-599"


def _mirror_share(route: Spec) -> Findings:
    old = route.get("mirrorPercent", route.get("mirror_percent"))
    if old is not None:
        if int(old) > 100:
            yield f"mirror_percent must have a max value of 100 (it has {int(old)})"
        yield Warn('using deprecated setting "mirrorPercent", use "mirrorPercentage" instead')
    share = route.get("mirrorPercentage")
    if share is not None:
        yield from _between(share, "mirror_percentage")


def _between(share: Spec, what: str) -> Findings:
    value = float(share.get("value") or 0)
    if value > 100:
        yield f"{what} must have a max value of 100 (it has {value:f})"
    if value < 0:
        yield f"{what} must have a min value of 0 (it has {value:f})"


def _mirrors(route: Spec) -> Findings:
    for mirror in items(route.get("mirrors")):
        if mirror is None:
            yield "mirror cannot be null"
        elif mirror.get("destination") is None:
            yield "destination is required for mirrors"
        else:
            yield from route_tcp.destination(mirror["destination"])
            if mirror.get("percentage") is not None:
                yield from _between(mirror["percentage"], "mirror percentage")


def _redirect(redirect: Spec | None) -> Findings:
    if redirect is None:
        return
    code, port = int(redirect.get("redirectCode") or 0), redirect.get("port")
    fields = ("uri", "authority", "port", "derivePort", "scheme")
    if not any(redirect.get(one) for one in fields):
        yield "redirect must specify URI, authority, scheme, or port"
    elif code and not 300 <= code <= 399:
        yield f"{code} is not a valid redirect code, must be 3xx"
    elif redirect.get("scheme") not in (None, "", "http", "https"):
        yield 'invalid redirect scheme, must be "http" or "https"'
    elif port:
        yield from names.port(port)


def _direct_response(response: Spec | None) -> Findings:
    if response is None:
        return
    size = _body_size(response.get("body") or {})
    if size > _KIB * _KIB:
        yield "large direct_responses may impact control plane performance, must be less than 1MB"
    elif size > 100 * _KIB:
        yield Warn("large direct_responses may impact control plane performance")
    yield from _status(response.get("status"))


def _body_size(body: Spec) -> int:
    if "bytes" not in body:
        return len(str(body.get("string") or "").encode())
    try:
        return len(base64.b64decode(body["bytes"]))
    except (binascii.Error, ValueError, TypeError):
        return 0


def _retries(retries: Spec | None) -> Findings:
    if retries is None:
        return
    attempts = int(retries.get("attempts") or 0)
    if attempts < 0:
        yield "attempts cannot be negative"
    given = (
        retries.get("perTryTimeout"),
        retries.get("retryOn"),
        retries.get("retryRemoteLocalities"),
    )
    if attempts == 0 and any(one not in (None, "") for one in given):
        yield "http retry policy configured when attempts are set to 0 (disabled)"
    yield from names.duration(retries.get("perTryTimeout"))
    for policy in (retries.get("retryOn") or "").split(","):
        if policy not in _STATUSES and policy not in _RETRY_ON and retries.get("retryOn"):
            yield f"{quoted(policy)} is not a valid retryOn policy"
    yield from names.duration(retries.get("backoff"))


def _rewrite(rewrite: Spec | None) -> Findings:
    if rewrite is None:
        return
    uri, expression = rewrite.get("uri"), rewrite.get("uriRegexRewrite")
    if uri and expression is not None:
        yield "rewrite may only contain one of URI or UriRegexRewrite"
    elif not uri and expression is None and not rewrite.get("authority"):
        yield (
            "rewrite must specify at least one of URI, UriRegexRewrite, or authority. "
            "Only one of URI or UriRegexRewrite may be specified"
        )
    elif expression is not None:
        for problem in _regex_rewrite(expression):
            yield f"UriRegexRewrite has errors\n{problem}"


def _regex_rewrite(rewrite: Spec) -> Findings:
    if not rewrite.get("match") or not rewrite.get("rewrite"):
        yield "UriRegexRewrite requires both Rewrite and Match fields to be specified"
    else:
        yield from regex.check(rewrite["match"], "HTTPRewrite.UriRegexRewrite.Match")


def _authority(route: Spec) -> Findings:
    """The authority may be set in one place only."""
    current = (route.get("rewrite") or {}).get("authority") or ""
    request = (route.get("headers") or {}).get("request") or {}
    for operation in ("set", "add"):
        for name, value in pairs(request.get(operation)):
            if not headers.is_authority(name):
                continue
            if current:
                yield (
                    "authority header cannot be set multiple times: "
                    f"have {quoted(current)}, attempting to set {quoted(value)}"
                )
                return
            current = str(value)
