"""Telemetry resources: overlapping selectors, access logs without a provider, removed providers."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages


def providers(objects: Collection) -> Messages:
    """Access logging needs a provider, its own or the mesh's default."""
    if maps(objects.mesh.get("defaultProviders")).get("accessLogging"):
        return
    for telemetry in objects.all("Telemetry"):
        for logging in lists(telemetry.spec.get("accessLogging")):
            if not logging.get("disabled") and not logging.get("providers"):
                arguments = telemetry.name, telemetry.namespace
                yield report("InvalidTelemetryProvider", telemetry, *arguments)


def _labels(telemetry: Item) -> dict[str, str]:
    return maps(maps(telemetry.spec.get("selector")).get("matchLabels"))


def _selects(telemetry: Item, pod: Item) -> bool:
    return telemetry.namespace == pod.namespace and mesh.selects(_labels(telemetry), pod.labels)


def selectors(objects: Collection) -> Messages:
    found = [one for one in objects.all("Telemetry") if _labels(one)]
    for telemetry in found:
        labels = _labels(telemetry)
        if not any(_selects(telemetry, pod) for pod in objects.all("Pod")):
            at = f"spec.selector.matchLabels.{mesh.first_key(labels)}"
            name = "ReferencedResourceNotFound"
            yield report(name, telemetry, "selector", mesh.render(labels), at=at)
    for pod in objects.all("Pod"):
        rivals = [one for one in found if _selects(one, pod)]
        names = sorted(one.name for one in rivals)
        for telemetry in rivals if len(rivals) > 1 else ():
            arguments = names, pod.namespace, pod.name
            kind = "ConflictingTelemetryWorkloadSelectors"
            yield report(kind, telemetry, *arguments, at="metadata.name")


def defaults(objects: Collection) -> Messages:
    """One Telemetry per namespace may be without a selector."""
    whole: dict[str, list[Item]] = {}
    for telemetry in objects.all("Telemetry"):
        if telemetry.spec.get("selector") is None:
            whole.setdefault(telemetry.namespace, []).append(telemetry)
    for namespace, found in whole.items():
        names = sorted(one.name for one in found)
        for telemetry in found if len(found) > 1 else ():
            name = "MultipleTelemetriesWithoutWorkloadSelectors"
            yield report(name, telemetry, names, namespace)


def lightstep(objects: Collection) -> Messages:
    listed = lists(objects.mesh.get("extensionProviders"))
    gone = {one.get("name") for one in listed if "lightstep" in one}
    for telemetry in objects.all("Telemetry"):
        for tracing in lists(telemetry.spec.get("tracing")):
            for provider in lists(tracing.get("providers")):
                if provider.get("name") in gone:
                    text = (
                        f"The Lightstep provider {provider['name']} is deprecated, please migrate to "
                        "OpenTelemetry provider."
                    )
                    yield report("Deprecated", telemetry, text)


ANALYZERS: Final = (
    Analyzer(
        "telemetry.ProviderAnalyzer",
        "Validates that providers in telemetry resource is valid",
        ("Telemetry",),
        providers,
    ),
    Analyzer(
        "telemetry.SelectorAnalyzer",
        "Validates that telemetries that define a selector match at least one pod, and that there "
        "aren't multiple telemetry resources that select overlapping pods",
        ("Telemetry", "Pod"),
        selectors,
    ),
    Analyzer(
        "telemetry.DefaultSelectorAnalyzer",
        "Validates that there aren't multiple telemetry resources that have no selector",
        ("Telemetry",),
        defaults,
    ),
    Analyzer(
        "telemetry.LightstepAnalyzer",
        "Validates that lightstep provider is still used",
        ("Telemetry",),
        lightstep,
    ),
)
