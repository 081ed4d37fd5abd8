"""Rules for pods and pod templates. Source: Kubernetes' pod validation."""

from __future__ import annotations

import json
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import containers, meta, names, volumes
from meshcourse.embedded.kube.objects import Object

RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
_DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_CHANGEABLE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_CONTAINER_LISTS: Final = ("containers", "initContainers")


def pod(report: Report, new: Object, old: Object | None) -> None:
    spec(report, "spec", new.get("spec") or {})
    if old is not None:
        _update(report, new.get("spec") or {}, old.get("spec") or {})


def template(report: Report, path: str, found: Object) -> None:
    """A pod template: its labels, annotations and spec."""
    metadata = found.get("metadata") or {}
    meta.check_labels(report, f"{path}.metadata.labels", metadata.get("labels"))
    meta.check_annotations(report, f"{path}.metadata.annotations", metadata.get("annotations"))
    spec(report, f"{path}.spec", found.get("spec") or {})
    if (found.get("spec") or {}).get("ephemeralContainers"):
        report.forbidden(
            f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template"
        )


def spec(report: Report, path: str, found: Object) -> None:
    host = bool(found.get("hostNetwork"))
    known = volumes.volumes(report, f"{path}.volumes", found.get("volumes"))
    containers.containers(
        report, f"{path}.containers", found.get("containers"), known, host_network=host
    )
    containers.init_containers(
        report,
        f"{path}.initContainers",
        found.get("initContainers"),
        known,
        found.get("containers"),
        host_network=host,
    )
    report.one_of(
        f"{path}.restartPolicy", found.get("restartPolicy"), RESTART_POLICIES, required=True
    )
    report.one_of(f"{path}.dnsPolicy", found.get("dnsPolicy"), _DNS_POLICIES, required=True)
    meta.check_labels(report, f"{path}.nodeSelector", found.get("nodeSelector"))
    _names(report, path, found)
    _seconds(report, path, found)
    _tolerations(report, f"{path}.tolerations", found.get("tolerations") or ())
    containers.security(report, f"{path}.securityContext", found.get("securityContext"))


def _names(report: Report, path: str, found: Object) -> None:
    for field, rule in (
        ("serviceAccountName", names.dns1123_subdomain),
        ("nodeName", names.dns1123_subdomain),
        ("hostname", names.dns1123_label),
        ("subdomain", names.dns1123_label),
        ("priorityClassName", names.dns1123_subdomain),
    ):
        value = found.get(field)
        if value:
            report.invalids(f"{path}.{field}", value, rule(value))


def _seconds(report: Report, path: str, found: Object) -> None:
    deadline = found.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        text = "must be between 1 and 2147483647, inclusive"
        report.invalid(f"{path}.activeDeadlineSeconds", deadline, text)
    report.not_negative(
        f"{path}.terminationGracePeriodSeconds", found.get("terminationGracePeriodSeconds")
    )


def _tolerations(report: Report, path: str, found: Any) -> None:
    for index, each in enumerate(found):
        here = f"{path}[{index}]"
        key, operator = each.get("key") or "", each.get("operator") or "Equal"
        if key:
            report.invalids(f"{here}.key", key, names.label_key(key))
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            report.invalid(f"{here}.operator", operator, text)
        if each.get("tolerationSeconds") is not None and each.get("effect") != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            report.invalid(f"{here}.effect", each.get("effect") or "", text)
        report.one_of(f"{here}.operator", operator, ("Equal", "Exists"))
        if operator == "Exists" and each.get("value"):
            text = "value must be empty when `operator` is 'Exists'"
            report.invalid(f"{here}.operator", each, text)
        report.one_of(f"{here}.effect", each.get("effect"), _EFFECTS)


def _update(report: Report, new: Object, old: Object) -> None:
    """Nearly everything of a pod is fixed once it exists."""
    for field in _CONTAINER_LISTS:
        if len(new.get(field) or ()) != len(old.get(field) or ()):
            report.forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    if not set(map(_text, old.get("tolerations") or ())) <= set(
        map(_text, new.get("tolerations") or ())
    ):
        report.forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        )
        return
    before, after = _fixed(old, old), _fixed(new, old)
    if before != after:
        report.forbidden("spec", f"{_CHANGEABLE}\n{_difference(before, after)}")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key != "tolerationSeconds"}
    return json.dumps(value, sort_keys=True)


def _fixed(found: Object, old: Object) -> Object:
    """What may not change: everything but what `_CHANGEABLE` lists."""
    kept = {
        key: value
        for key, value in found.items()
        if key
        not in ("activeDeadlineSeconds", "tolerations", "ephemeralContainers", "serviceAccount")
    }
    for field in _CONTAINER_LISTS:
        kept[field] = [{**each, "image": ""} for each in found.get(field) or ()]
    if (
        old.get("terminationGracePeriodSeconds", 0) < 0
        and kept.get("terminationGracePeriodSeconds") == 1
    ):
        kept["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    if not old.get("nodeName"):
        kept.pop("nodeName", None)  # the scheduler's binding
    if not old.get("nodeName") and old.get("schedulingGates"):
        kept.pop("schedulingGates", None)
        kept.pop("nodeSelector", None)
        kept.pop("affinity", None)
    return kept


def _difference(before: Object, after: Object) -> str:
    """The fields that differ, old and new, one below the other."""
    lines: list[str] = []
    for field in sorted({*before, *after}):
        if before.get(field) != after.get(field):
            lines.append(f"-  {field}: {_shown(before.get(field))}")
            lines.append(f"+  {field}: {_shown(after.get(field))}")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    return "nil" if value is None else json.dumps(value, separators=(",", ":"))
