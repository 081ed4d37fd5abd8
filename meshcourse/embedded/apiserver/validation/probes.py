"""Rules for probes and lifecycle hooks. Source: Kubernetes' pod validation."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import names
from meshcourse.embedded.kube.objects import Object

_NUMBERS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def of_container(report: Report, path: str, container: Object) -> None:
    """All probes and hooks of one container."""
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        found = container.get(field)
        if found is not None:
            probe(report, f"{path}.{field}", found)
            if field != "readinessProbe" and found.get("successThreshold", 1) != 1:
                text = "must be 1"
                report.invalid(f"{path}.{field}.successThreshold", found["successThreshold"], text)
    for hook, found in (container.get("lifecycle") or {}).items():
        if isinstance(found, dict):
            handler(report, f"{path}.lifecycle.{hook}", found, _HOOK_HANDLERS)


def probe(report: Report, path: str, found: Object) -> None:
    handler(report, path, found, _PROBE_HANDLERS)
    for field in _NUMBERS:
        report.not_negative(f"{path}.{field}", found.get(field))


def handler(report: Report, path: str, found: Object, kinds: tuple[str, ...]) -> None:
    """Exactly one way to ask."""
    given = [kind for kind in kinds if found.get(kind) is not None]
    for kind in given[1:]:
        report.forbidden(f"{path}.{kind}", "may not specify more than 1 handler type")
    if not given:
        report.required(path, "must specify a handler type")
        return
    _CHECKS[given[0]](report, f"{path}.{given[0]}", found[given[0]])


def _exec(report: Report, path: str, action: Object) -> None:
    if not action.get("command"):
        report.required(f"{path}.command")


def _http(report: Report, path: str, action: Object) -> None:
    if not action.get("path"):
        report.required(f"{path}.path")
    port(report, f"{path}.port", action.get("port", 0))
    report.one_of(f"{path}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        report.invalids(f"{path}.httpHeaders", name, names.header_name(name))


def _tcp(report: Report, path: str, action: Object) -> None:
    port(report, f"{path}.port", action.get("port", 0))


def _grpc(report: Report, path: str, action: Object) -> None:
    number = action.get("port", 0)
    report.invalids(f"{path}.port", number, names.port_number(number))


def _sleep(report: Report, path: str, action: Object) -> None:
    report.not_negative(f"{path}.seconds", action.get("seconds"))


def port(report: Report, path: str, value: Any) -> None:
    """A port by number or by name."""
    if isinstance(value, str):
        report.invalids(path, value, names.port_name(value))
    else:
        report.invalids(path, value, names.port_number(value))


_CHECKS = {"exec": _exec, "httpGet": _http, "tcpSocket": _tcp, "grpc": _grpc, "sleep": _sleep}
