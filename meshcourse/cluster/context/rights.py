"""What this user may do on a cluster, asked before anything is tried.

Source: ``SelfSubjectAccessReview`` (authorization.k8s.io/v1), which is what ``kubectl auth can-i`` sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.rest import Rest

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that is to be done.

    :param namespace: "" for the whole cluster (or for kinds without namespace).
    """

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" in namespace {self.namespace}" if self.namespace else " in the whole cluster"
        return f"{self.verb} {kind}{where}"


def learner(namespace: str) -> list[Right]:
    """What the notebooks do in the learner's own namespace."""
    kinds = (
        ("pods", ""),
        ("services", ""),
        ("deployments", "apps"),
        ("virtualservices", "networking.istio.io"),
        ("destinationrules", "networking.istio.io"),
        ("authorizationpolicies", "security.istio.io"),
    )
    rights = [
        Right(verb, kind, group, namespace) for kind, group in kinds for verb in ("list", "create")
    ]
    return [*rights, Right("create", "pods/exec", "", namespace)]


def installer() -> list[Right]:
    """What an installation of Istio needs."""
    return [
        Right("create", "namespaces"),
        Right("create", "customresourcedefinitions", "apiextensions.k8s.io"),
        Right("create", "clusterroles", "rbac.authorization.k8s.io"),
        Right("create", "mutatingwebhookconfigurations", "admissionregistration.k8s.io"),
        Right("create", "deployments", "apps", "istio-system"),
    ]


def missing(api: Rest, rights: Iterable[Right]) -> list[Right]:
    """Those of `rights` that the server does not grant."""
    return [right for right in rights if not _granted(api, right)]


def demand(api: Rest, rights: Iterable[Right], purpose: str) -> None:
    """Nothing if all are granted.

    :raises ClusterError: with exactly those that are not.
    """
    lacking = missing(api, rights)
    if lacking:
        listed = "; ".join(map(str, lacking))
        raise ClusterError(
            f"your account may not do what {purpose} needs: {listed}",
            remedy="Ask whoever runs the cluster for these rights, or use the embedded cluster, where they are yours.",
        )


def _granted(api: Rest, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": right.namespace,
    }
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    answer = api.request("POST", _PATH, body=asked)
    return bool((answer.get("status") or {}).get("allowed"))
