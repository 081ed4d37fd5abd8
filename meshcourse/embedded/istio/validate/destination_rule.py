"""DestinationRule."""

from __future__ import annotations

from meshcourse.embedded.istio.validate import names, traffic_policy
from meshcourse.embedded.istio.validate.findings import Findings, items
from meshcourse.embedded.istio.validate.item import Item


def check(item: Item) -> Findings:
    """Errors and warnings of a DestinationRule."""
    spec = item.spec
    yield from names.wildcard_domain(str(spec.get("host") or ""))
    yield from traffic_policy.check(spec.get("trafficPolicy"))
    seen: set[str] = set()
    for subset in items(spec.get("subsets")):
        if subset is None:
            yield "subset may not be null"
            continue
        name = subset.get("name") or ""
        if name in seen:
            yield f"duplicate subset names: {name}"
        seen.add(name)
        yield from _name(name)
        yield from names.labels(subset.get("labels"))
        yield from traffic_policy.check(subset.get("trafficPolicy"))
    selected = spec.get("workloadSelector") is not None
    yield from names.export_to(item.namespace, spec.get("exportTo"), selected=selected)
    yield from names.selector(spec.get("workloadSelector"))


def _name(name: str) -> Findings:
    if not name:
        yield "subset name cannot be empty"
    elif not names.is_label(name):
        yield f"subset name is invalid: {name}"
