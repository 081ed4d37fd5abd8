"""What Istio's validating webhook refuses, with its messages. Pure.

Belongs here: one file per kind (or family), each a function of the object alone that yields texts.
Does not belong here: cross-object analysis (``istioctl analyze`` lives in `istioctl`), schema
checks that the CRD already makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from meshcourse.embedded.istio.validate import (
    authorization_policy,
    destination_rule,
    extensions,
    gateway,
    item,
    peer_authentication,
    request_authentication,
    service_entry,
    sidecar,
    telemetry,
    unsupported,
    virtual_service,
    workload,
)
from meshcourse.embedded.istio.validate.findings import Findings, Warn
from meshcourse.embedded.istio.validate.item import Item
from meshcourse.embedded.kube.objects import Object

_CHECKS: Final[Mapping[str, Callable[[Item], Findings]]] = {
    "VirtualService": virtual_service.check,
    "DestinationRule": destination_rule.check,
    "Gateway": gateway.check,
    "ServiceEntry": service_entry.check,
    "Sidecar": sidecar.check,
    "WorkloadEntry": workload.entry,
    "WorkloadGroup": workload.group,
    "PeerAuthentication": peer_authentication.check,
    "RequestAuthentication": request_authentication.check,
    "AuthorizationPolicy": authorization_policy.check,
    "Telemetry": telemetry.check,
    "EnvoyFilter": extensions.envoy_filter,
    "ProxyConfig": extensions.proxy_config,
    "WasmPlugin": extensions.wasm_plugin,
}
_DRY_RUN: Final = "istio.io/dry-run"
_ALWAYS_REJECT: Final = "internal.istio.io/webhook-always-reject"
_BOOLEANS: Final = frozenset(
    ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False")
)


@dataclass(frozen=True, slots=True)
class Result:
    """Errors refuse the object; warnings travel back with the admission response."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """The errors as one text: one as it is, several joined as Go's multierror does; "" if none.

        The webhook puts ``configuration is invalid: `` before it.
        """
        if len(self.errors) <= 1:
            return "".join(self.errors)
        lines = "".join(f"\n\t* {error}" for error in self.errors)
        return f"{len(self.errors)} errors occurred:{lines}\n\n"


def check(obj: Object) -> Result:
    """What is wrong with an object of Istio or the Gateway API, whatever its version; others pass."""
    found = item.read(obj)
    result = _judged(found)
    ineffective = [str(one) for one in unsupported.warnings(found)]
    return replace(result, warnings=[*result.warnings, *ineffective])


def _judged(found: Item) -> Result:
    """What pilot's own checks say; the Gateway API leaves that to its CRDs."""
    checked = _CHECKS.get(found.kind)
    if checked is None or not found.group.endswith(".istio.io"):
        return Result()
    problem = _metadata(found)
    if problem:
        return Result([problem])
    try:
        findings = list(checked(found))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A value of another type than the field's; the CRD's schema says so better where there is
        # one.
        return Result([f"cannot parse proto message: {error}"])
    return Result(
        errors=[str(one) for one in findings if not isinstance(one, Warn)],
        warnings=[str(one) for one in findings if isinstance(one, Warn)],
    )


def _metadata(found: Item) -> str:
    """What annotations alone forbid."""
    where = f"{found.namespace}/{found.name}"
    dry_run = found.annotations.get(_DRY_RUN)
    if dry_run is not None:
        if found.kind != "AuthorizationPolicy":
            return f"{where} has unsupported annotation {_DRY_RUN}, please remove the annotation"
        action = found.spec.get("action") or "ALLOW"
        if action not in ("ALLOW", "DENY"):
            return (
                f"the annotation {_DRY_RUN} currently only supports action ALLOW/DENY, "
                f"found action {action} in {where}"
            )
        if dry_run not in _BOOLEANS:
            return (
                f"{where} has annotation {_DRY_RUN} with invalid value ({dry_run}): "
                f'strconv.ParseBool: parsing "{dry_run}": invalid syntax'
            )
    if _ALWAYS_REJECT in found.annotations:
        return f'"{_ALWAYS_REJECT}" annotation found, rejecting'
    return ""
