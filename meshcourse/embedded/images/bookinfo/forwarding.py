"""Which request headers each Bookinfo service passes on. Pure.

An Envoy can report a span by itself, but only the application knows which outgoing call belongs to which incoming
one: it must copy these headers. Drop them and the trace falls apart (notebook 05 does just that).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: Trace and request identity, in every format that a mesh may be set to.
TRACING = (
    "x-request-id",
    "x-ot-span-context",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "traceparent",
    "tracestate",
    "x-cloud-trace-context",
    "grpc-trace-bin",
    "sw8",
)
#: Zipkin's headers, which Envoy's Zipkin tracer writes.
B3 = ("x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags")
#: Who asks and with what.
CONTEXT = ("user-agent", "cookie", "authorization", "jwt")

#: What details and reviews forward: everything, and `end-user`, which productpage set.
BACKEND = (*TRACING, *B3, "end-user", *CONTEXT)

_TRACE = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_SPAN = re.compile(r"[0-9a-f]{16}")


def select(headers: Mapping[str, str], names: Iterable[str] = BACKEND) -> dict[str, str]:
    """The headers among `names` that are present (`headers` must ignore case)."""
    return {name: headers[name] for name in names if name in headers}


def b3(headers: Mapping[str, str]) -> dict[str, str]:
    """The B3 headers as an OpenTelemetry B3 propagator passes them on, which is what productpage uses.

    Trace id padded to 32 digits, span id, and sampled as 0 or 1; nothing if the ids are not valid. The parent's id
    and the flags are not passed on. A single `b3` header is understood too.
    """
    trace, span, sampled = (
        headers.get(name, "") for name in ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled")
    )
    single = headers.get("b3", "").split("-")
    if len(single) >= 2:
        trace, span, sampled = single[0], single[1], (single[2:3] or [""])[0]
    trace, span = trace.lower(), span.lower()
    if not (_TRACE.fullmatch(trace) and _SPAN.fullmatch(span)):
        return {}
    yes = sampled.lower() in ("1", "true", "d") or headers.get("x-b3-flags") == "1"
    return {
        "x-b3-traceid": trace.zfill(32),
        "x-b3-spanid": span,
        "x-b3-sampled": "1" if yes else "0",
    }


def of_productpage(headers: Mapping[str, str], user: str | None) -> dict[str, str]:
    """What productpage sends on: `end-user` comes from its session, never from the request."""
    forwarded = b3(headers)
    if user is not None:
        forwarded["end-user"] = user
    return forwarded | select(headers, (*TRACING, *CONTEXT))
