"""Rules for Deployments and the other owners of pods. Source: Kubernetes' apps validation."""

from __future__ import annotations

from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import meta, names, pods
from meshcourse.embedded.kube import selectors
from meshcourse.embedded.kube.objects import Object

_MISMATCH: Final = "`selector` does not match template `labels`"
_STATEFUL_CHANGEABLE: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def deployment(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    report.not_negative("spec.replicas", spec.get("replicas"))
    _selector(report, spec, "deployment")
    _template(report, spec)
    _strategy(report, spec.get("strategy") or {})
    report.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    report.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        report.not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= spec.get("minReadySeconds", 0):
            text = "must be greater than minReadySeconds"
            report.invalid("spec.progressDeadlineSeconds", deadline, text)
    _selector_fixed(report, new, old)


def replica_set(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    report.not_negative("spec.replicas", spec.get("replicas"))
    report.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    _selector(report, spec, "deployment")
    _template(report, spec)
    _selector_fixed(report, new, old)


def replication_controller(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    report.not_negative("spec.replicas", spec.get("replicas"))
    wanted = spec.get("selector") or {}
    if not wanted:
        report.required("spec.selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        report.invalid("spec.template.metadata.labels", labels, _MISMATCH)
    _template(report, spec, mismatch=False)


def daemon_set(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    _selector(report, spec, "daemonset")
    _template(report, spec)
    report.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    report.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    kind = (spec.get("updateStrategy") or {}).get("type")
    report.one_of("spec.updateStrategy.type", kind, ("OnDelete", "RollingUpdate"), required=True)
    _selector_fixed(report, new, old)


def stateful_set(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    report.one_of(
        "spec.podManagementPolicy", spec.get("podManagementPolicy"), ("OrderedReady", "Parallel")
    )
    kind = (spec.get("updateStrategy") or {}).get("type")
    report.one_of("spec.updateStrategy.type", kind, ("OnDelete", "RollingUpdate"), required=True)
    report.not_negative("spec.replicas", spec.get("replicas"))
    report.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    _selector(report, spec, "statefulset")
    _template(report, spec)
    if old is not None:
        _stateful_fixed(report, spec, old.get("spec") or {})


def _stateful_fixed(report: Report, new: Object, old: Object) -> None:
    def fixed(spec: Object) -> Object:
        return {key: value for key, value in spec.items() if key not in _STATEFUL_CHANGEABLE}

    if fixed(new) != fixed(old):
        listed = ", ".join(f"'{field}'" for field in _STATEFUL_CHANGEABLE[:-1])
        text = f"updates to statefulset spec for fields other than {listed} and 'minReadySeconds' are forbidden"
        report.forbidden("spec", text)


def _selector(report: Report, spec: Object, kind: str) -> None:
    found = spec.get("selector")
    if found is None:
        report.required("spec.selector")
        return
    meta.selector(report, "spec.selector", found)
    if not found.get("matchLabels") and not found.get("matchExpressions"):
        report.invalid("spec.selector", found, f"empty selector is invalid for {kind}")


def _template(report: Report, spec: Object, *, mismatch: bool = True) -> None:
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if mismatch and spec.get("selector") and not matches(spec["selector"], labels):
        report.invalid("spec.template.metadata.labels", labels, _MISMATCH)
    pods.template(report, "spec.template", template)
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy in pods.RESTART_POLICIES and policy != "Always":
        report.not_supported("spec.template.spec.restartPolicy", policy, ("Always",))
    if (template.get("spec") or {}).get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in ReplicaSet is not Supported"
        report.forbidden("spec.template.spec.activeDeadlineSeconds", text)


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector selects `labels`; a malformed one (reported elsewhere) counts as matching."""
    try:
        return selectors.from_object(selector).matches(labels)
    except selectors.SelectorError:
        return True


def _selector_fixed(report: Report, new: Object, old: Object | None) -> None:
    if old is not None:
        before = (old.get("spec") or {}).get("selector")
        report.immutable("spec.selector", (new.get("spec") or {}).get("selector"), before)


def _strategy(report: Report, strategy: Object) -> None:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            text = "may not be specified when strategy `type` is 'Recreate'"
            report.forbidden("spec.strategy.rollingUpdate", text)
    elif kind == "RollingUpdate":
        if rolling is None:
            report.required(
                "spec.strategy.rollingUpdate", "this should be defaulted and never be nil"
            )
        else:
            _rolling(report, rolling)
    else:
        shown = {"Type": kind, "RollingUpdate": None}
        report.not_supported("spec.strategy", shown, ("Recreate", "RollingUpdate"))


def _rolling(report: Report, rolling: Object) -> None:
    path = "spec.strategy.rollingUpdate"
    for field in ("maxUnavailable", "maxSurge"):
        int_or_percent(report, f"{path}.{field}", rolling.get(field))
    if _zero(rolling.get("maxUnavailable")) and _zero(rolling.get("maxSurge")):
        text = "may not be 0 when `maxSurge` is 0"
        report.invalid(f"{path}.maxUnavailable", rolling.get("maxUnavailable"), text)
    unavailable = rolling.get("maxUnavailable")
    if (
        isinstance(unavailable, str)
        and not names.percent(unavailable)
        and int(unavailable[:-1]) > 100
    ):
        report.invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%")


def int_or_percent(report: Report, path: str, value: Any) -> None:
    """A count, or a share such as ``25%``."""
    if isinstance(value, str):
        report.invalids(path, value, names.percent(value))
    else:
        report.not_negative(path, value)


def _zero(value: Any) -> bool:
    return value in (0, "0%")
