"""AuthorizationPolicies that apply to nobody, and namespaces that do not exist; fetches of keys."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages

_SHOWN: Final = 5
_BLOCKED: Final = "BLOCKED_CIDRS_IN_JWKS_URIS"


def policies(objects: Collection) -> Messages:
    members = [
        pod for pod in objects.all("Pod") if mesh.pod_in_mesh(pod, objects) or mesh.pod_ambient(pod)
    ]
    for policy in objects.all("AuthorizationPolicy"):
        yield from _workloads(policy, members, objects.root_namespace)
        yield from _namespaces(policy, objects)


def _workloads(policy: Item, members: list[Item], root: str) -> Messages:
    """A policy of the root namespace counts everywhere."""
    selector = policy.spec.get("selector")
    everywhere = policy.namespace == root
    if selector is None and everywhere:
        return
    labels = maps(maps(selector).get("matchLabels"))
    near = (pod for pod in members if everywhere or pod.namespace == policy.namespace)
    if not any(mesh.selects(labels, pod.labels) for pod in near):
        yield report("NoMatchingWorkloadsFound", policy, mesh.render(labels))


def _namespaces(policy: Item, objects: Collection) -> Messages:
    names = [namespace.name for namespace in objects.all("Namespace")]
    for i, rule in enumerate(lists(policy.spec.get("rules"))):
        for j, origin in enumerate(lists(rule.get("from"))):
            source = maps(origin.get("source"))
            for field in ("namespaces", "notNamespaces"):
                for k, pattern in enumerate(map(str, lists(source.get(field)))):
                    if not any(_matches(pattern, name) for name in names):
                        at = f"spec.rules[{i}].from[{j}].source.{field}[{k}]"
                        kind = "ReferencedResourceNotFound"
                        yield report(kind, policy, "namespace", pattern, at=at)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name.lower() == pattern.lower()


def key_fetches(objects: Collection) -> Messages:
    """istiod fetches keys from whatever address a RequestAuthentication names."""
    names = [policy.full for policy in objects.all("RequestAuthentication")]
    if not names:
        return
    shown = ", ".join(names[:_SHOWN])
    listed = f"{shown}, and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
    for deployment in objects.all("Deployment"):
        if deployment.labels.get("app") == "istiod" and not _restricted(deployment):
            yield report("JwksUriFetchUnrestricted", deployment, len(names), listed)


def _restricted(deployment: Item) -> bool:
    pod = maps(maps(deployment.spec.get("template")).get("spec"))
    return any(
        variable.get("name") == _BLOCKED and variable.get("value")
        for container in mesh.containers(pod, init=False)
        for variable in lists(container.get("env"))
    )


ANALYZERS: Final = (
    Analyzer(
        "auth.AuthorizationPoliciesAnalyzer",
        "Checks the validity of authorization policies",
        ("AuthorizationPolicy", "Namespace", "Pod"),
        policies,
    ),
    Analyzer(
        "authn.BlockedCIDRsAnalyzer",
        "Checks that BLOCKED_CIDRS_IN_JWKS_URIS is configured on istiod when RequestAuthentication "
        "resources exist",
        ("RequestAuthentication", "Deployment"),
        key_fetches,
    ),
)
