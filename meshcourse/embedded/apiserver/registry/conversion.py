"""Objects as stored and as a version serves them.

Custom resources: only ``apiVersion`` differs (conversion strategy None). Built-in: HorizontalPodAutoscaler
(autoscaling/v1 is a view of v2) and Event (events.k8s.io is a view of the core kind). Source: the conversion
functions of ``pkg/apis/autoscaling/v1`` and ``pkg/apis/events/v1``.
"""

from __future__ import annotations

import json
from typing import Any

from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.kube.objects import Object

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_FIELDS = {new: old for old, new in _EVENT_FIELDS.items()}


def to_storage(kind: Kind, obj: Object) -> Object:
    """`obj` of the version `kind`, as it is stored. Does not change `obj`."""
    if kind.resource == kind.storage:
        return obj
    converted = {**obj, "apiVersion": kind.storage.api_version}
    if kind.resource.group == "events.k8s.io":
        return _rename(converted, _CORE_FIELDS)
    if kind.resource.group == "autoscaling":
        return _hpa_to_v2(converted)
    return converted


def from_storage(kind: Kind, obj: Object) -> Object:
    """A stored object in the version `kind`. Does not change `obj`."""
    if obj.get("apiVersion") == kind.resource.api_version:
        return obj
    converted = {**obj, "apiVersion": kind.resource.api_version}
    if kind.resource.group == "events.k8s.io":
        return _rename(converted, _EVENT_FIELDS)
    if kind.resource.group == "autoscaling":
        return _hpa_to_v1(converted)
    return converted


def _rename(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(field, field): value for field, value in obj.items()}


def _cpu(target: dict[str, Any]) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _is_cpu(metric: Object) -> bool:
    resource = metric.get("resource") or {}
    return resource.get("name") == "cpu" and "averageUtilization" in (resource.get("target") or {})


def _hpa_to_v2(obj: Object) -> Object:
    spec, meta = dict(obj.get("spec") or {}), dict(obj.get("metadata") or {})
    notes = dict(meta.get("annotations") or {})
    metrics = json.loads(notes.pop(_METRICS, "[]"))
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        metrics.insert(0, _cpu({"type": "Utilization", "averageUtilization": percent}))
    if metrics:
        spec["metrics"] = metrics
    if _BEHAVIOR in notes:
        spec["behavior"] = json.loads(notes.pop(_BEHAVIOR))
    status = dict(obj.get("status") or {})
    current = status.pop("currentCPUUtilizationPercentage", None)
    if current is not None:
        name = {"averageUtilization": current}
        status["currentMetrics"] = [
            {"type": "Resource", "resource": {"name": "cpu", "current": name}}
        ]
    return _with(obj, meta, notes, spec, status)


def _hpa_to_v1(obj: Object) -> Object:
    spec, meta = dict(obj.get("spec") or {}), dict(obj.get("metadata") or {})
    notes = dict(meta.get("annotations") or {})
    metrics = list(spec.pop("metrics", None) or [])
    cpu = next((metric for metric in metrics if _is_cpu(metric)), None)
    if cpu:
        metrics.remove(cpu)
        spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
    if metrics:
        notes[_METRICS] = json.dumps(metrics, separators=(",", ":"))
    if "behavior" in spec:
        notes[_BEHAVIOR] = json.dumps(spec.pop("behavior"), separators=(",", ":"))
    status = dict(obj.get("status") or {})
    status.pop("conditions", None)
    for metric in status.pop("currentMetrics", None) or []:
        current = (metric.get("resource") or {}).get("current") or {}
        if "averageUtilization" in current:
            status["currentCPUUtilizationPercentage"] = current["averageUtilization"]
    return _with(obj, meta, notes, spec, status)


def _with(obj: Object, meta: Object, notes: Object, spec: Object, status: Object) -> Object:
    if notes:
        meta["annotations"] = notes
    else:
        meta.pop("annotations", None)
    converted = {**obj, "metadata": meta, "spec": spec}
    if "status" in obj:
        converted["status"] = status
    return converted
