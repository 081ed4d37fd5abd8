"""Resource quantities as validation needs them: sign, comparison, quality of service.

Source: apimachinery's ``resource.Quantity`` (suffixes), the pod QoS rules.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from meshcourse.embedded.kube.objects import Object

_FORM: Final = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))([a-zA-Z]*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)$")
_SUFFIXES: Final = {
    "": Decimal(1),
    "n": Decimal(10) ** -9,
    "u": Decimal(10) ** -6,
    "m": Decimal(10) ** -3,
    **{suffix: Decimal(10) ** (3 * power) for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_COMPUTE: Final = ("cpu", "memory")


def value(quantity: Any) -> Decimal | None:
    """The number that a quantity stands for; None if it is malformed."""
    text = str(quantity).strip()
    match = _FORM.match(text)
    if match is None:
        return None
    number, suffix = match.groups()
    if suffix[:1] in ("e", "E") and suffix[1:].lstrip("+-").isdigit():
        return Decimal(text)
    factor = _SUFFIXES.get(suffix)
    return None if factor is None else Decimal(number) * factor


def qos_class(spec: Object) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``, from the containers' requests and limits."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    resources = [each.get("resources") or {} for each in containers]
    if not any(_compute(each, "requests") or _compute(each, "limits") for each in resources):
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(each) for each in resources) else "Burstable"


def _compute(resources: Object, field: str) -> Object:
    found = resources.get(field) or {}
    return {name: found[name] for name in _COMPUTE if value(found.get(name, 0))}


def _guaranteed(resources: Object) -> bool:
    requests, limits = _compute(resources, "requests"), _compute(resources, "limits")
    if set(limits) != set(_COMPUTE):
        return False
    return all(value(requests.get(name, limits[name])) == value(limits[name]) for name in _COMPUTE)
