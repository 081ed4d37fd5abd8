"""Defaults of Job and CronJob."""

from __future__ import annotations

from meshcourse.embedded.apiserver.schemas.defaults import pods
from meshcourse.embedded.kube.objects import Object

_UNLIMITED = 2**31 - 1


def job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    template = spec.setdefault("template", {})
    pods.pod_spec(template.setdefault("spec", {}))
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", _UNLIMITED if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", _replacement(spec))
    labels = (template.get("metadata") or {}).get("labels")
    if labels:
        obj.setdefault("metadata", {}).setdefault("labels", dict(labels))


def _replacement(spec: Object) -> str:
    return "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"


def cron_job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    job_spec = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    pods.pod_spec(job_spec.setdefault("template", {}).setdefault("spec", {}))
