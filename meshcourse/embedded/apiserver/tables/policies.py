"""Rows of access rules, budgets, quotas and autoscalers. Source: the API server's printers."""

from __future__ import annotations

from meshcourse.embedded.apiserver.tables import columns
from meshcourse.embedded.apiserver.tables.columns import NONE, UNSET, Row
from meshcourse.embedded.apiserver.tables.durations import UNKNOWN
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def role_binding(obj: Object) -> Row:
    reference = obj.get("roleRef") or {}
    role = f"{reference.get('kind', '')}/{reference.get('name', '')}"
    subjects = (_subjects(obj, kind) for kind in ("User", "Group", "ServiceAccount"))
    return [columns.name(obj), role, columns.age(obj), *subjects]


def _subjects(obj: Object, kind: str) -> str:
    found = [each for each in obj.get("subjects") or () if each.get("kind") == kind]
    if kind == "ServiceAccount":
        return ", ".join(f"{each.get('namespace', '')}/{each.get('name', '')}" for each in found)
    return ", ".join(each.get("name", "") for each in found)


ROLE_BINDING = columns.printer(
    role_binding, "Name", "Role", "Age", "*Users", "*Groups", "*ServiceAccounts"
)


def disruption_budget(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    return [
        columns.name(obj),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        objects.dig(obj, "status.disruptionsAllowed", 0),
        columns.age(obj),
    ]


DISRUPTION_BUDGET = columns.printer(
    disruption_budget,
    "Name",
    "Min Available",
    "Max Unavailable",
    "Allowed Disruptions:integer",
    "Age",
)


def resource_quota(obj: Object) -> Row:
    hard = objects.dig(obj, "status.hard", {}) or objects.dig(obj, "spec.hard", {})
    used = objects.dig(obj, "status.used", {})
    requests: list[str] = []
    limits: list[str] = []
    for name in sorted(hard):
        text = f"{name}: {used.get(name, '0')}/{hard[name]}"
        (limits if name.startswith("limits.") else requests).append(text)
    return [columns.name(obj), ", ".join(requests), ", ".join(limits), columns.age(obj)]


RESOURCE_QUOTA = columns.printer(resource_quota, "Name", "Request", "Limit", "Age")


def autoscaler(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    reference = spec.get("scaleTargetRef") or {}
    return [
        columns.name(obj),
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        _targets(obj),
        str(spec.get("minReplicas", UNSET)),
        spec.get("maxReplicas", 0),
        objects.dig(obj, "status.currentReplicas", 0),
        columns.age(obj),
    ]


def _targets(obj: Object) -> str:
    spec = obj.get("spec") or {}
    if "targetCPUUtilizationPercentage" in spec:
        current = objects.dig(obj, "status.currentCPUUtilizationPercentage")
        shown = UNKNOWN if current is None else f"{current}%"
        return f"cpu: {shown}/{spec['targetCPUUtilizationPercentage']}%"
    current_metrics = objects.dig(obj, "status.currentMetrics", ())
    texts = [
        _metric(metric, current_metrics[index] if index < len(current_metrics) else {})
        for index, metric in enumerate(spec.get("metrics") or ())
    ]
    if not texts:
        return NONE
    shown = ", ".join(texts[:2])
    return f"{shown} + {len(texts) - 2} more..." if len(texts) > 2 else shown


_SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def _metric(metric: Object, current: Object) -> str:
    """``cpu: 12%/80%``: what is and what should be."""
    source = _SOURCES.get(metric.get("type", ""))
    if source is None:
        return "<unknown type>"
    wanted = objects.dig(metric, f"{source}.target", {})
    found = objects.dig(current, f"{source}.current", {})
    is_resource = source in ("resource", "containerResource")
    prefix = f"{objects.dig(metric, f'{source}.name', '')}: " if is_resource else ""
    if "averageValue" in wanted:
        suffix = " (avg)" if source in ("object", "external") else ""
        return f"{prefix}{found.get('averageValue', UNKNOWN)}/{wanted['averageValue']}{suffix}"
    if is_resource:
        use = found.get("averageUtilization")
        target = wanted.get("averageUtilization")
        left = UNKNOWN if use is None else f"{use}%"
        return f"{prefix}{left}/{'<auto>' if target is None else f'{target}%'}"
    return f"{found.get('value', UNKNOWN)}/{wanted.get('value', UNKNOWN)}"


AUTOSCALER = columns.printer(
    autoscaler,
    "Name",
    "Reference",
    "Targets",
    "MinPods",
    "MaxPods:integer",
    "Replicas:integer",
    "Age",
)


def pod_metrics(obj: Object) -> Row:
    usages = [each.get("usage") or {} for each in obj.get("containers") or ()]
    total = (
        {"cpu": usages[0].get("cpu", "0"), "memory": usages[0].get("memory", "0")} if usages else {}
    )
    return [
        columns.name(obj),
        total.get("cpu", "0"),
        total.get("memory", "0"),
        obj.get("window", ""),
    ]


def node_metrics(obj: Object) -> Row:
    usage = obj.get("usage") or {}
    return [
        columns.name(obj),
        usage.get("cpu", "0"),
        usage.get("memory", "0"),
        obj.get("window", ""),
    ]


POD_METRICS = columns.printer(pod_metrics, "Name", "CPU", "Memory", "Window")
NODE_METRICS = columns.printer(node_metrics, "Name", "CPU", "Memory", "Window")
