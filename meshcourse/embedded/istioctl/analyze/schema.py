"""What istiod's webhook would refuse or warn about, as messages."""

from __future__ import annotations

import functools
import re
from typing import Final

from meshcourse.embedded.istio import validate
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item
from meshcourse.embedded.istioctl.analyze.messages import Message, Messages

KINDS: Final = (
    "AuthorizationPolicy",
    "DestinationRule",
    "EnvoyFilter",
    "Gateway",
    "PeerAuthentication",
    "ProxyConfig",
    "RequestAuthentication",
    "ServiceEntry",
    "Sidecar",
    "Telemetry",
    "VirtualService",
    "WasmPlugin",
    "WorkloadEntry",
    "WorkloadGroup",
)
_UNREACHABLE: Final = re.compile(r"virtualService rule (\S+|\".*\") not used \((.*)\)$")
_INEFFECTIVE: Final = re.compile(
    r"virtualService rule (\S+|\".*\") match (\S+|\".*\") is not used "
    r"\(duplicate/overlapping match in rule (.*)\)$"
)


def check(kind: str, objects: Collection) -> Messages:
    for item in objects.all(kind):
        result = validate.check(item.obj)
        yield from (_precise(item, one, "SchemaValidationError") for one in result.errors)
        yield from (_precise(item, one, "SchemaWarning") for one in result.warnings)


def _precise(item: Item, text: str, otherwise: str) -> Message:
    """Rules that no request reaches have messages of their own."""
    unreachable, ineffective = _UNREACHABLE.match(text), _INEFFECTIVE.match(text)
    if unreachable:
        return report("VirtualServiceUnreachableRule", item, *unreachable.groups())
    if ineffective:
        return report("VirtualServiceIneffectiveMatch", item, *ineffective.groups())
    return report(otherwise, item, text)


ANALYZERS: Final = tuple(
    Analyzer(
        f"schema.ValidationAnalyzer.{kind}",
        f"Runs schema validation as an analyzer on '{kind}' resources",
        (kind,),
        functools.partial(check, kind),
    )
    for kind in KINDS
)
