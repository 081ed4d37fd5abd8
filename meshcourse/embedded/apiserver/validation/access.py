"""Rules for roles, bindings and disruption budgets. Source: Kubernetes' rbac and policy validation."""

from __future__ import annotations

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import meta, names, workloads
from meshcourse.embedded.kube.objects import Object

_GROUP = "rbac.authorization.k8s.io"


def role(report: Report, new: Object, old: Object | None) -> None:
    _rules(report, new, namespaced=True)


def cluster_role(report: Report, new: Object, old: Object | None) -> None:
    if new.get("aggregationRule") is None:
        _rules(report, new, namespaced=False)


def _rules(report: Report, new: Object, *, namespaced: bool) -> None:
    for index, rule in enumerate(new.get("rules") or ()):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            report.required(f"{path}.verbs", "verbs must contain at least one value")
        urls = rule.get("nonResourceURLs") or []
        if urls:
            _urls(report, path, rule, urls, namespaced=namespaced)
            continue
        if not rule.get("apiGroups"):
            report.required(
                f"{path}.apiGroups", "resource rules must supply at least one api group"
            )
        if not rule.get("resources"):
            report.required(f"{path}.resources", "resource rules must supply at least one resource")


def _urls(report: Report, path: str, rule: Object, urls: list[str], *, namespaced: bool) -> None:
    if namespaced:
        text = "namespaced rules cannot apply to non-resource URLs"
        report.invalid(f"{path}.nonResourceURLs", urls, text)
    if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
        text = "rules cannot apply to both regular resources and non-resource URLs"
        report.invalid(f"{path}.nonResourceURLs", urls, text)


def role_binding(report: Report, new: Object, old: Object | None) -> None:
    _binding(report, new, old, ("Role", "ClusterRole"), namespaced=True)


def cluster_role_binding(report: Report, new: Object, old: Object | None) -> None:
    _binding(report, new, old, ("ClusterRole",), namespaced=False)


def _binding(
    report: Report, new: Object, old: Object | None, kinds: tuple[str, ...], *, namespaced: bool
) -> None:
    reference = new.get("roleRef") or {}
    report.one_of("roleRef.apiGroup", reference.get("apiGroup") or _GROUP, (_GROUP,))
    kind, name = reference.get("kind") or "", reference.get("name") or ""
    if kind not in kinds:
        report.not_supported("roleRef.kind", kind, kinds)
    if not name:
        report.required("roleRef.name")
    else:
        report.invalids("roleRef.name", name, names.path_segment(name))
    for index, subject in enumerate(new.get("subjects") or ()):
        _subject(report, f"subjects[{index}]", subject, namespaced=namespaced)
    if old is not None and old.get("roleRef") != new.get("roleRef"):
        report.invalid("roleRef", reference, "cannot change roleRef")


def _subject(report: Report, path: str, subject: Object, *, namespaced: bool) -> None:
    kind = subject.get("kind") or ""
    if not subject.get("name"):
        report.required(f"{path}.name")
    if kind == "ServiceAccount":
        name = subject.get("name") or ""
        if name:
            report.invalids(f"{path}.name", name, names.dns1123_subdomain(name))
        if subject.get("apiGroup"):
            report.not_supported(f"{path}.apiGroup", subject["apiGroup"], ("",))
        if not namespaced and not subject.get("namespace"):
            report.required(f"{path}.namespace")
    elif kind in ("User", "Group"):
        if subject.get("apiGroup") != _GROUP:
            report.not_supported(f"{path}.apiGroup", subject.get("apiGroup") or "", (_GROUP,))
    else:
        report.not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))


def disruption_budget(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        report.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        if spec.get(field) is not None:
            workloads.int_or_percent(report, f"spec.{field}", spec[field])
    meta.selector(report, "spec.selector", spec.get("selector"))
