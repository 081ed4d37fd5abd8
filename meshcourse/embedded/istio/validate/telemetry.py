"""Telemetry."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.istio.validate import names
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, pairs
from meshcourse.embedded.istio.validate.item import Item


def check(item: Item) -> Findings:
    """Errors and warnings of a Telemetry."""
    yield from names.targets(item.spec)
    for metrics in items(item.spec.get("metrics")):
        yield from _metrics(metrics or {})
    tracing = items(item.spec.get("tracing"))
    if len(tracing) > 1:
        yield Warn("multiple tracing is not currently supported")
    for one in tracing:
        yield from _tracing(one or {})
    for one in items(item.spec.get("accessLogging")):
        yield from _providers((one or {}).get("providers"))


def _providers(found: Any) -> Findings:
    if any(not (one or {}).get("name") for one in items(found)):
        yield "providers.name may not be empty"


def _tracing(tracing: Spec) -> Findings:
    if len(items(tracing.get("providers"))) > 1:
        yield Warn("multiple providers is not currently supported")
    yield from _providers(tracing.get("providers"))
    if not 0 <= float(tracing.get("randomSamplingPercentage") or 0) <= 100:
        yield "randomSamplingPercentage must be in range [0.0, 100.0]"
    for name, tag in pairs(tracing.get("customTags")):
        if not name:
            yield "tag name may not be empty"
        if tag is None:
            yield f"tag '{name}' may not have a nil value"
            continue
        for kind, field, shown in (
            ("literal", "value", "literal tag value"),
            ("header", "name", "header tag name"),
            ("environment", "name", "environment tag name"),
        ):
            if tag.get(kind) is not None and not tag[kind].get(field):
                yield f"{shown} may not be empty"


def _metrics(metrics: Spec) -> Findings:
    yield from _providers(metrics.get("providers"))
    for override in items(metrics.get("overrides")):
        if override is None:
            yield "tagOverrides may not be null"
            continue
        for name, tag in pairs(override.get("tagOverrides")):
            yield from _tag(name, tag)
        match = override.get("match") or {}
        if "customMetric" in match and not match["customMetric"]:
            yield "customMetric may not be empty"


def _tag(name: str, tag: Spec | None) -> Findings:
    if not name:
        yield Warn("tagOverrides.name may not be empty")
    if tag is None:
        yield "tagOverrides may not be null"
    elif tag.get("operation") == "REMOVE":
        if tag.get("value"):
            yield "tagOverrides.value may only be set when operation is UPSERT"
    elif not tag.get("value"):
        yield "tagOverrides.value must be set when operation is UPSERT"
