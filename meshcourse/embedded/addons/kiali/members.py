"""Health of all members of a namespace from two questions to Prometheus. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from meshcourse.embedded.addons.kiali import health
from meshcourse.embedded.addons.kiali.graph import build
from meshcourse.embedded.addons.kiali.graph.build import Sample
from meshcourse.embedded.addons.kiali.health import Requests
from meshcourse.embedded.addons.kiali.mesh import Mesh

Json = dict[str, Any]
KINDS: Final = ("app", "service", "workload")
#: The label that names a member, by kind and direction.
_LABELS: Final = {
    ("app", "inbound"): "destination_canonical_service",
    ("app", "outbound"): "source_canonical_service",
    ("workload", "inbound"): "destination_workload",
    ("workload", "outbound"): "source_workload",
    ("service", "inbound"): "destination_service_name",
}


def of_namespace(kind: str, mesh: Mesh, namespace: str, asked: dict[str, list[Sample]]) -> Json:
    """Health by name of all apps, services or workloads.

    :param asked: the samples ``inbound`` and ``outbound`` of this namespace.
    """
    inbound = _requests(kind, "inbound", asked["inbound"])
    outbound = _requests(kind, "outbound", asked["outbound"])
    if kind == "service":
        names = [name for space, name in mesh.services if space == namespace]
        return {name: health.service(inbound.get(name, {}), {}) for name in names}
    if kind == "workload":
        return {
            one.name: health.workload(
                inbound.get(one.name, {}), outbound.get(one.name, {}), one.status()
            )
            for one in mesh.workloads_of(namespace)
        }
    return {
        name: health.app(
            inbound.get(name, {}), outbound.get(name, {}), [one.status() for one in members]
        )
        for name, members in mesh.apps_of(namespace).items()
    }


def _requests(kind: str, direction: str, samples: Iterable[Sample]) -> dict[str, Requests]:
    """Rates by member; of what both ends report, the larger: one of them may not have seen it."""
    label = _LABELS.get((kind, direction), "")
    by_reporter: dict[str, dict[tuple[str, str, str], float]] = {}
    for sample in samples:
        reporter = sample.labels.get("reporter", "")
        if direction == "outbound" and reporter != "source":
            continue
        protocol = sample.labels.get("request_protocol", "")
        code = build.response_code(protocol, sample.labels)
        found = by_reporter.setdefault(reporter, {})
        key = (sample.labels.get(label, ""), protocol, code)
        found[key] = found.get(key, 0.0) + sample.value
    joined: dict[str, Requests] = {}
    for found in by_reporter.values():
        for (name, protocol, code), rate in found.items():
            codes = joined.setdefault(name, {}).setdefault(protocol, {})
            codes[code] = max(codes.get(code, 0.0), rate)
    return joined
