"""Rules for containers: images, ports, environment, mounts, resources. Source: Kubernetes' pod validation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import names, probes, quantities
from meshcourse.embedded.kube.objects import Object

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES: Final = ("File", "FallbackToLogsOnError")
_FIELD_PATHS: Final = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_SUBSCRIPT: Final = re.compile(r"^metadata\.(labels|annotations)\['.+'\]$")
_ENV_SOURCES: Final = (
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
)
_STANDARD_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage", "storage"})


def containers(
    report: Report, path: str, found: Any, volumes: Iterable[str], *, host_network: bool
) -> None:
    """The main containers, of which there must be one."""
    if not found:
        report.required(path)
        return
    seen: set[str] = set()
    known = set(volumes)
    for index, each in enumerate(found):
        container(report, f"{path}[{index}]", each, known, host_network=host_network)
        probes.of_container(report, f"{path}[{index}]", each)
        _unique(report, f"{path}[{index}].name", each.get("name"), seen)


def init_containers(
    report: Report, path: str, found: Any, volumes: Iterable[str], main: Any, *, host_network: bool
) -> None:
    """Init containers; their names must differ from those of the main ones too."""
    seen = {each.get("name") for each in main or ()}
    known = set(volumes)
    for index, each in enumerate(found or ()):
        here = f"{path}[{index}]"
        container(report, here, each, known, host_network=host_network)
        _unique(report, f"{here}.name", each.get("name"), seen)
        report.one_of(
            f"{here}.restartPolicy", each.get("restartPolicy"), ("Always", "Never", "OnFailure")
        )
        if each.get("restartPolicy") == "Always":
            probes.of_container(report, here, each)
            continue
        for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if each.get(field):
                report.forbidden(
                    f"{here}.{field}",
                    "may not be set for init containers without restartPolicy=Always",
                )


def _unique(report: Report, path: str, name: Any, seen: set[Any]) -> None:
    if name and name in seen:
        report.duplicate(path, name)
    seen.add(name)


def container(
    report: Report, path: str, spec: Object, volumes: set[str], *, host_network: bool
) -> None:
    name = spec.get("name") or ""
    if not name:
        report.required(f"{path}.name")
    else:
        report.invalids(f"{path}.name", name, names.dns1123_label(name))
    image = spec.get("image") or ""
    if not image:
        report.required(f"{path}.image")
    elif image != image.strip():
        report.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    report.one_of(
        f"{path}.terminationMessagePolicy", spec.get("terminationMessagePolicy"), _MESSAGE_POLICIES
    )
    _ports(report, f"{path}.ports", spec.get("ports") or (), host_network=host_network)
    _env(report, f"{path}.env", spec.get("env") or ())
    _env_from(report, f"{path}.envFrom", spec.get("envFrom") or ())
    _mounts(report, f"{path}.volumeMounts", spec.get("volumeMounts") or (), volumes)
    report.one_of(f"{path}.imagePullPolicy", spec.get("imagePullPolicy"), PULL_POLICIES)
    resources(report, f"{path}.resources", spec.get("resources") or {})
    security(report, f"{path}.securityContext", spec.get("securityContext"))


def _ports(report: Report, path: str, ports: Iterable[Object], *, host_network: bool) -> None:
    seen: set[Any] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name")
        if name:
            report.invalids(f"{here}.name", name, names.port_name(name))
            _unique(report, f"{here}.name", name, seen)
        number = port.get("containerPort", 0)
        if number == 0:
            report.required(f"{here}.containerPort")
        else:
            report.invalids(f"{here}.containerPort", number, names.port_number(number))
        host = port.get("hostPort", 0)
        if host:
            report.invalids(f"{here}.hostPort", host, names.port_number(host))
            if host_network and host != number:
                text = "must match `containerPort` when `hostNetwork` is true"
                report.invalid(f"{here}.hostPort", host, text)
        report.one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS, required=True)


def _env(report: Report, path: str, variables: Iterable[Object]) -> None:
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        name = variable.get("name") or ""
        if not name:
            report.required(f"{here}.name")
        else:
            report.invalids(f"{here}.name", name, names.env_name(name))
        source = variable.get("valueFrom")
        if source is not None:
            _value_from(report, f"{here}.valueFrom", source, variable.get("value") or "")


def _value_from(report: Report, path: str, source: Object, value: str) -> None:
    given = [field for field in _ENV_SOURCES if source.get(field)]
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        report.invalid(path, "", text)
    elif value:
        report.invalid(path, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        report.invalid(path, "", "may not have more than one field specified at a time")
    for field in ("configMapKeyRef", "secretKeyRef"):
        if source.get(field):
            _key_reference(report, f"{path}.{field}", source[field])
    if source.get("fieldRef"):
        field_reference(report, f"{path}.fieldRef", source["fieldRef"], _FIELD_PATHS)
    if source.get("resourceFieldRef") and not source["resourceFieldRef"].get("resource"):
        report.required(f"{path}.resourceFieldRef.resource")


def _key_reference(report: Report, path: str, reference: Object) -> None:
    key = reference.get("key") or ""
    if not key:
        report.required(f"{path}.key")
    else:
        report.invalids(f"{path}.key", key, names.config_key(key))


def field_reference(report: Report, path: str, reference: Object, allowed: tuple[str, ...]) -> None:
    """A reference to one of the pod's own fields (environment, downward API)."""
    field = reference.get("fieldPath") or ""
    if not reference.get("apiVersion"):
        report.required(f"{path}.apiVersion")
    if not field:
        report.required(f"{path}.fieldPath")
    elif field not in allowed and not _SUBSCRIPT.match(field):
        report.not_supported(f"{path}.fieldPath", field, allowed)


def _env_from(report: Report, path: str, sources: Iterable[Object]) -> None:
    for index, source in enumerate(sources):
        given = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        if not given:
            text = "must specify one of: `configMapRef` or `secretRef`"
            report.invalid(f"{path}[{index}]", "", text)
        elif len(given) > 1:
            text = "may not have more than one field specified at a time"
            report.invalid(f"{path}[{index}]", "", text)
        for field in given:
            if not source[field].get("name"):
                report.required(f"{path}[{index}].{field}.name")


def _mounts(report: Report, path: str, mounts: Iterable[Object], volumes: set[str]) -> None:
    points: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            report.required(f"{here}.name")
        elif name not in volumes:
            report.not_found(f"{here}.name", name)
        if not point:
            report.required(f"{here}.mountPath")
        elif point in points:
            report.invalid(f"{here}.mountPath", point, "must be unique")
        points.add(point)
        relative_path(report, f"{here}.subPath", mount.get("subPath"))
        if mount.get("subPath") and mount.get("subPathExpr"):
            text = "subPathExpr and subPath are mutually exclusive"
            report.invalid(f"{here}.subPathExpr", mount["subPathExpr"], text)


def relative_path(report: Report, path: str, value: Any) -> None:
    if not value:
        return
    if value.startswith("/"):
        report.invalid(path, value, "must be a relative path")
    if ".." in value.split("/"):
        report.invalid(path, value, "must not contain '..'")


def resources(report: Report, path: str, found: Object) -> None:
    """Requests and limits: known names, not negative, requests within limits."""
    limits, requests = found.get("limits") or {}, found.get("requests") or {}
    for field, given in (("limits", limits), ("requests", requests)):
        for name, quantity in given.items():
            here = f"{path}.{field}[{name}]" if "/" in name else f"{path}.{field}.{name}"
            _resource_name(report, f"{path}.{field}", name)
            number = quantities.value(quantity)
            if number is not None and number < 0:
                report.invalid(here, str(quantity), "must be greater than or equal to 0")
    for name, quantity in requests.items():
        asked, most = quantities.value(quantity), quantities.value(limits.get(name, ""))
        if asked is not None and most is not None and asked > most:
            text = f"must be less than or equal to {name} limit of {limits[name]}"
            report.invalid(f"{path}.requests", str(quantity), text)


def _resource_name(report: Report, path: str, name: str) -> None:
    report.invalids(path, name, names.label_key(name))
    if "/" not in name and name not in _STANDARD_RESOURCES and not name.startswith("hugepages-"):
        report.invalid(path, name, "must be a standard resource type or fully qualified")
        report.invalid(path, name, "must be a standard resource for containers")


def security(report: Report, path: str, context: Any) -> None:
    if not context:
        return
    for field in ("runAsUser", "runAsGroup"):
        number = context.get(field)
        if number is not None and not 0 <= number <= 2**31 - 1:
            report.invalid(f"{path}.{field}", number, "must be between 0 and 2147483647, inclusive")
    if context.get("allowPrivilegeEscalation") is False and context.get("privileged"):
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        report.invalid(path, context, text)
