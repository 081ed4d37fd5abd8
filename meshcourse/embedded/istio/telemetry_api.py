"""Telemetry resources of a workload, merged: tracing, access logs, metric overrides for each
direction.

Source: istio.io reference of Telemetry, pilot's merging: root namespace, then namespace, then
workload; later ones override.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from meshcourse.embedded.istio import policies
from meshcourse.embedded.istio.build import metrics
from meshcourse.embedded.istio.model import Config, ExtensionProvider, MeshConfig, Workload

CLIENT: Final = "CLIENT"
SERVER: Final = "SERVER"
_BOTH: Final = "CLIENT_AND_SERVER"
_DEFAULT_SAMPLING: Final = 1.0


@dataclass(frozen=True, slots=True)
class Tracing:
    """Resolved tracing of one direction; no provider means no tracing."""

    provider: ExtensionProvider | None = None
    sampling: float = _DEFAULT_SAMPLING
    tags: Mapping[str, Any] = field(default_factory=dict)
    istio_tags: bool = True


@dataclass(frozen=True, slots=True)
class Log:
    """One access log: its provider and the CEL expression that selects lines ("" for all)."""

    provider: ExtensionProvider
    expression: str = ""


def in_force(configs: Sequence[Config], workload: Workload, root: str) -> list[Config]:
    """The Telemetry resources of a workload: at most one per level for the first two, all of the
    last.
    """
    found = [_whole(configs, root)]
    if workload.namespace != root:
        found.append(_whole(configs, workload.namespace))
    own = [
        one
        for one in configs
        if one.namespace == workload.namespace
        and _specific(one)
        and policies.attached(one, workload)
    ]
    return [one for one in [*found, *own] if one is not None]


def _specific(config: Config) -> bool:
    spec = config.spec
    labels = (spec.get("selector") or {}).get("matchLabels")
    return bool(labels or spec.get("targetRefs") or spec.get("targetRef"))


def _whole(configs: Sequence[Config], namespace: str) -> Config | None:
    found = (one for one in configs if one.namespace == namespace and not _specific(one))
    return next(found, None)


def _entries(configs: Sequence[Config], kind: str, mode: str) -> Iterator[Mapping[str, Any]]:
    for config in configs:
        for entry in config.spec.get(kind) or []:
            if (entry.get("match") or {}).get("mode", _BOTH) in (_BOTH, mode):
                yield entry


def _names(entry: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in entry.get("providers") or []]


def tracing(configs: Sequence[Config], mesh: MeshConfig, mode: str) -> Tracing:
    """The tracing of one direction."""
    provider = _default_tracer(mesh)
    sampling = float(
        (mesh.default_config.get("tracing") or {}).get("sampling") or _DEFAULT_SAMPLING
    )
    disabled, istio_tags = False, True
    tags: Mapping[str, Any] = {}
    for entry in _entries(configs, "tracing", mode):
        if names := _names(entry):
            provider = mesh.provider(names[0])
        disabled = entry.get("disableSpanReporting", disabled)
        tags = entry.get("customTags", tags)
        istio_tags = entry.get("enableIstioTags", istio_tags)
        share = entry.get("randomSamplingPercentage")
        sampling = sampling if share is None else float(share)
    return Tracing(None if disabled else provider, sampling, tags, bool(istio_tags))


def _default_tracer(mesh: MeshConfig) -> ExtensionProvider | None:
    """The default provider, else the tracer of ``defaultConfig`` if tracing is on (the older way)."""
    if names := mesh.default_providers.get("tracing"):
        return mesh.provider(names[0])
    address = ((mesh.default_config.get("tracing") or {}).get("zipkin") or {}).get("address")
    if not (mesh.enable_tracing and address):
        return None
    host, _, port = str(address).rpartition(":")
    return ExtensionProvider("default", "zipkin", {"service": host, "port": int(port)})


def logs(configs: Sequence[Config], mesh: MeshConfig, mode: str) -> list[Log] | None:
    """The access logs of one direction; None means that the mesh configuration decides."""
    defaults = list(mesh.default_providers.get("accessLogging") or [])
    levels = [one for one in configs if one.spec.get("accessLogging")]
    if not levels and not defaults:
        return None
    in_scope, parent = defaults, defaults
    for config in levels:
        named = [
            name for entry in _entries([config], "accessLogging", mode) for name in _names(entry)
        ]
        in_scope = named or in_scope
    chosen: dict[str, str | None] = {} if levels else dict.fromkeys(defaults, "")
    for entry in _entries(levels, "accessLogging", mode):
        parent = _names(entry) or parent
        for name in parent:
            if name in in_scope:
                expression = str((entry.get("filter") or {}).get("expression") or "")
                chosen[name] = None if entry.get("disabled") else expression
    return list(_resolved(chosen, mesh))


def _resolved(chosen: Mapping[str, str | None], mesh: MeshConfig) -> Iterator[Log]:
    for name in sorted(chosen):
        provider, expression = mesh.provider(name), chosen[name]
        if provider is not None and expression is not None:
            yield Log(provider, expression)


def overrides(configs: Sequence[Config], mode: str) -> metrics.Overrides:
    """What becomes of the metrics of one direction (of the provider ``prometheus``)."""
    result: dict[str, metrics.Override] = {}
    for config in configs:
        for entry in config.spec.get("metrics") or []:
            if _names(entry) and "prometheus" not in _names(entry):
                continue
            for override in entry.get("overrides") or []:
                _apply(result, override, mode)
    return result


def _apply(result: dict[str, metrics.Override], override: Mapping[str, Any], mode: str) -> None:
    match = override.get("match") or {}
    if match.get("mode", _BOTH) not in (_BOTH, mode):
        return
    metric = match.get("metric") or match.get("customMetric") or "ALL_METRICS"
    for name in metrics.METRICS if metric == "ALL_METRICS" else (metric,):
        known = result.get(name, metrics.Override())
        disabled = override.get("disabled")
        tags = {
            tag: None if one.get("operation") == "REMOVE" else one.get("value")
            for tag, one in (override.get("tagOverrides") or {}).items()
        }
        result[name] = metrics.Override(
            known.disabled if disabled is None else bool(disabled), {**known.tags, **tags}
        )
