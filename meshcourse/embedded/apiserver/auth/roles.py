"""The roles and bindings that every cluster starts with.

Source: Kubernetes' RBAC bootstrap policy (``plugin/pkg/auth/authorizer/rbac/bootstrappolicy``), reduced to the kinds
that this server has. ``view``, ``edit`` and ``admin`` collect the rules of roles with aggregation labels, as there.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshcourse.embedded.kube.objects import Object

_API = "rbac.authorization.k8s.io"
_API_VERSION = f"{_API}/v1"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AUTOUPDATE = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_CREATE = ("create",)

# Resources by group: what `view` may read, what `edit` may change besides, what only `edit` may do.
_VIEW: dict[str, str] = {
    "": "bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims "
    "persistentvolumeclaims/status pods pods/log pods/status replicationcontrollers replicationcontrollers/scale "
    "replicationcontrollers/status resourcequotas resourcequotas/status serviceaccounts services services/status",
    "discovery.k8s.io": "endpointslices",
    "apps": "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
    "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    "autoscaling": "horizontalpodautoscalers horizontalpodautoscalers/status",
    "batch": "cronjobs cronjobs/status jobs jobs/status",
    "policy": "poddisruptionbudgets poddisruptionbudgets/status",
    "networking.k8s.io": "ingresses ingresses/status networkpolicies",
    "metrics.k8s.io": "pods nodes",
}
_EDIT: dict[str, str] = {
    "": "configmaps events persistentvolumeclaims pods pods/attach pods/exec pods/portforward pods/proxy "
    "replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
    "apps": "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale "
    "statefulsets statefulsets/scale",
    "autoscaling": "horizontalpodautoscalers",
    "batch": "cronjobs jobs",
    "policy": "poddisruptionbudgets",
    "networking.k8s.io": "ingresses networkpolicies",
    "coordination.k8s.io": "leases",
}
_EDIT_READ = {"": "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"}
_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY_PATHS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")


def objects_of_every_cluster() -> Iterator[Object]:
    """ClusterRoles and ClusterRoleBindings."""
    yield from _roles()
    yield from _aggregated()
    yield _binding("cluster-admin", "cluster-admin", "system:masters")
    yield _binding("system:basic-user", "system:basic-user", "system:authenticated")
    yield _binding("system:discovery", "system:discovery", "system:authenticated")
    public = "system:public-info-viewer"
    yield _binding(public, public, "system:authenticated", "system:unauthenticated")
    issuer = "system:service-account-issuer-discovery"
    yield _binding(issuer, issuer, "system:serviceaccounts")


def _roles() -> Iterator[Object]:
    everything = [_rule("*", "*", ("*",)), _paths(("*",), ("*",))]
    yield _role("cluster-admin", everything)
    yield _role("system:discovery", [_paths((*_PUBLIC_PATHS, *_DISCOVERY_PATHS))])
    yield _role("system:public-info-viewer", [_paths(_PUBLIC_PATHS)])
    issuer = (
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/",
        "/openid/v1/jwks",
        "/openid/v1/jwks/",
    )
    yield _role("system:service-account-issuer-discovery", [_paths(issuer)])
    self_access = "selfsubjectaccessreviews selfsubjectrulesreviews"
    yield _role(
        "system:basic-user",
        [
            _rule("authorization.k8s.io", self_access, _CREATE),
            _rule("authentication.k8s.io", "selfsubjectreviews", _CREATE),
        ],
    )
    yield _role(
        "system:auth-delegator",
        [
            _rule("authentication.k8s.io", "tokenreviews", _CREATE),
            _rule("authorization.k8s.io", "subjectaccessreviews", _CREATE),
        ],
    )


def _aggregated() -> Iterator[Object]:
    """The three roles for people, and the labelled roles from which they are put together."""
    view = [_rule(group, plurals, _READ) for group, plurals in _VIEW.items()]
    edit = [_rule(group, plurals, _READ) for group, plurals in _EDIT_READ.items()]
    edit += [_rule(group, plurals, _WRITE) for group, plurals in _EDIT.items()]
    edit.append(_rule("", "serviceaccounts/token pods/eviction", _CREATE))
    edit.append(_rule("", "serviceaccounts", ("impersonate",)))
    admin = [
        _rule("authorization.k8s.io", "localsubjectaccessreviews", _CREATE),
        _rule(_API, "roles rolebindings", (*_READ, *_WRITE)),
    ]
    for name, rules in (("view", view), ("edit", edit), ("admin", admin)):
        labels = {f"{_TO}{name}": "true"}
        yield _role(f"system:aggregate-to-{name}", rules, labels)
    yield _collecting("view", "view", _TO + "edit")
    yield _collecting("edit", "edit", _TO + "admin")
    yield _collecting("admin", "admin", "")


_TO = "rbac.authorization.k8s.io/aggregate-to-"


def _collecting(name: str, source: str, passes_on: str) -> Object:
    role = _role(name, [], {passes_on: "true"} if passes_on else {})
    chosen = [{"matchLabels": {_TO + source: "true"}}]
    return {**role, "aggregationRule": {"clusterRoleSelectors": chosen}}


def _rule(group: str, plurals: str, verbs: tuple[str, ...]) -> Object:
    return {"apiGroups": [group], "resources": plurals.split(), "verbs": list(verbs)}


def _paths(paths: tuple[str, ...], verbs: tuple[str, ...] = ("get",)) -> Object:
    return {"nonResourceURLs": list(paths), "verbs": list(verbs)}


def _role(name: str, rules: list[Object], labels: dict[str, str] | None = None) -> Object:
    return {
        "apiVersion": _API_VERSION,
        "kind": "ClusterRole",
        "metadata": {
            "name": name,
            "labels": {**_LABELS, **(labels or {})},
            "annotations": dict(_AUTOUPDATE),
        },
        "rules": rules,
    }


def _binding(name: str, role: str, *groups: str) -> Object:
    return {
        "apiVersion": _API_VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": {
            "name": name,
            "labels": dict(_LABELS),
            "annotations": dict(_AUTOUPDATE),
        },
        "roleRef": {"apiGroup": _API, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _API, "kind": "Group", "name": group} for group in groups],
    }
