"""All analyzers, and an analysis with them."""

from __future__ import annotations

import re
from collections.abc import Collection as Container
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshcourse.embedded.istioctl.analyze import (
    authorization,
    destination_rules,
    envoy_filters,
    gateway_api,
    gateway_conflicts,
    gateways,
    injection,
    istio_annotations,
    messages,
    schema,
    service_entries,
    services,
    sidecars,
    telemetry,
    virtual_service_gateways,
    virtual_services,
    webhooks,
    workloads,
)
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.messages import Message

_ROOMS: Final = (
    istio_annotations,
    authorization,
    destination_rules,
    envoy_filters,
    gateway_api,
    gateway_conflicts,
    gateways,
    injection,
    schema,
    service_entries,
    services,
    sidecars,
    telemetry,
    virtual_service_gateways,
    virtual_services,
    webhooks,
    workloads,
)
#: By name.
ANALYZERS: Final[tuple[Analyzer, ...]] = tuple(
    sorted((one for room in _ROOMS for one in room.ANALYZERS), key=lambda one: one.name)
)
_SUPPRESS: Final = "galley.istio.io/analyze-suppress"


@dataclass(frozen=True, slots=True)
class Result:
    """Messages in the order in which they are shown, and which analyzers made them."""

    messages: list[Message]
    executed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Suppression:
    """``IST0103=Pod *.testing``: a code, and the objects for which it is not shown."""

    code: str
    resource: str

    def covers(self, message: Message) -> bool:
        pattern = ".*".join(re.escape(part) for part in self.resource.split("*"))
        same = message.item is not None and message.type.code == self.code
        return same and re.fullmatch(pattern, message.origin) is not None


def inputs(analyzers: Iterable[Analyzer] = ANALYZERS) -> list[str]:
    """The kinds that analyzers look at."""
    return sorted({kind for analyzer in analyzers for kind in analyzer.inputs})


def chosen(names: Sequence[str]) -> tuple[Analyzer, ...]:
    """The analyzers of these names; all if there are none of them."""
    found = tuple(one for one in ANALYZERS if one.name in names)
    return found or ANALYZERS


def analyze(
    objects: Collection,
    *,
    namespace: str = "",
    available: Container[str] | None = None,
    suppressions: Sequence[Suppression] = (),
    analyzers: Sequence[Analyzer] = ANALYZERS,
) -> Result:
    """Run analyzers.

    :param namespace: only messages of its objects and of cluster-scoped ones; "" for all.
    :param available: the kinds that could be had; an analyzer that needs others is skipped. None: all.
    """
    able = [one for one in analyzers if available is None or not one.skipped(available)]
    found = [message for analyzer in able for message in _run(analyzer, objects)]
    kept = [one for one in found if _kept(one, namespace, suppressions)]
    executed = [one.name for one in able]
    skipped = [one.name for one in analyzers if one not in able]
    return Result(messages.ordered(kept), executed, skipped)


def _run(analyzer: Analyzer, objects: Collection) -> Iterator[Message]:
    """An analyzer that stumbles over a malformed object says so; the others go on."""
    try:
        yield from analyzer.run(objects)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        yield report("InternalError", None, f"{analyzer.name}: {type(error).__name__}: {error}")


def _kept(message: Message, namespace: str, suppressions: Sequence[Suppression]) -> bool:
    item = message.item
    if item is None:
        return True
    if namespace and item.home and item.home != namespace:
        return False
    codes = item.annotations.get(_SUPPRESS, "").split(",")
    if "*" in codes or message.type.code in codes:
        return False
    return not any(one.covers(message) for one in suppressions)
