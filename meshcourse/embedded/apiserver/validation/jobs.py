"""Rules for Job and CronJob. Source: Kubernetes' batch validation."""

from __future__ import annotations

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import meta, names, pods, workloads
from meshcourse.embedded.kube.objects import Object

_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
)
_MACROS = ("@annually", "@yearly", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def job(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    if spec.get("selector") is None:
        report.required("spec.selector")
    else:
        meta.selector(report, "spec.selector", spec["selector"])
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if spec.get("selector") and not workloads.matches(spec["selector"], labels):
        report.invalid(
            "spec.template.metadata.labels", labels, "`selector` does not match template `labels`"
        )
    _spec(report, "spec", spec)
    if old is not None:
        _update(report, spec, old.get("spec") or {})


def _spec(report: Report, path: str, spec: Object) -> None:
    for field in _COUNTS:
        report.not_negative(f"{path}.{field}", spec.get(field))
    report.one_of(f"{path}.completionMode", spec.get("completionMode"), ("NonIndexed", "Indexed"))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        report.required(f"{path}.completions", "when completion mode is Indexed")
    template = spec.get("template") or {}
    pods.template(report, f"{path}.template", template)
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy == "Always":
        text = 'valid values: "OnFailure", "Never"'
        report.required(f"{path}.template.spec.restartPolicy", text)


def _update(report: Report, new: Object, old: Object) -> None:
    if not (
        old.get("completionMode") == "Indexed" and new.get("completions") == new.get("parallelism")
    ):
        report.immutable("spec.completions", new.get("completions"), old.get("completions"))
    for field in ("selector", "completionMode", "podFailurePolicy", "managedBy"):
        report.immutable(f"spec.{field}", new.get(field), old.get(field))
    if not old.get("suspend"):
        report.immutable("spec.template", new.get("template"), old.get("template"))


def cron_job(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    name = (new.get("metadata") or {}).get("name") or ""
    if old is None and len(name) > 52:
        report.invalid("metadata.name", name, "must be no more than 52 characters")
    schedule = spec.get("schedule") or ""
    if not schedule:
        report.required("spec.schedule")
    elif (wrong := _schedule_problem(schedule)) is not None:
        report.invalid("spec.schedule", schedule, wrong)
    report.not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    policies = ("Allow", "Forbid", "Replace")
    report.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), policies, required=True)
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        report.not_negative(f"spec.{field}", spec.get(field))
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    _spec(report, "spec.jobTemplate.spec", job_spec)
    if job_spec.get("manualSelector"):
        allowed = ("nil", "false")
        report.not_supported("spec.jobTemplate.spec.manualSelector", True, allowed)


def _schedule_problem(schedule: str) -> str | None:
    if schedule.startswith("@"):
        if schedule in _MACROS or schedule.startswith("@every "):
            return None
        return f"unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    return None


def horizontal_pod_autoscaler(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        report.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        report.invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < least:
        report.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    reference = spec.get("scaleTargetRef") or {}
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if not value:
            report.required(f"spec.scaleTargetRef.{field}")
        else:
            report.invalids(f"spec.scaleTargetRef.{field}", value, names.path_segment(value))
    for index, metric in enumerate(spec.get("metrics") or ()):
        _metric(report, f"spec.metrics[{index}]", metric)


_METRIC_TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")


def _metric(report: Report, path: str, metric: Object) -> None:
    kind = metric.get("type") or ""
    if not kind:
        report.required(f"{path}.type", "must specify a metric source type")
        return
    if kind not in _METRIC_TYPES:
        report.not_supported(f"{path}.type", kind, _METRIC_TYPES)
        return
    field = kind[0].lower() + kind[1:]
    source = metric.get(field)
    if source is None:
        text = "must populate information for the given metric source"
        report.required(f"{path}.{field}", text)
        return
    target = source.get("target") or {}
    if not target.get("type"):
        report.required(f"{path}.{field}.target.type", "must specify a metric target type")
    use = target.get("averageUtilization")
    if use is not None and use < 1:
        report.invalid(f"{path}.{field}.target.averageUtilization", use, "must be greater than 0")
