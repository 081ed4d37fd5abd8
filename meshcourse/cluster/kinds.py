"""What a cluster serves: kinds, their plural names, short names and categories, from discovery.

Source: Kubernetes API concepts, "Aggregated discovery" (``apidiscovery.k8s.io``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from meshcourse.cluster import outdated
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.rest import Rest

ACCEPT = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


class UnknownKindError(ClusterError):
    """The cluster serves no such kind."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One served kind."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``pods`` or ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def printed(self) -> str:
        """``pod`` or ``deployment.apps``: how kubectl names it in front of an object's name."""
        singular = self.singular or self.kind.lower()
        return f"{singular}.{self.group}" if self.group else singular

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path; an empty namespace means all of them (or none, for cluster-scoped kinds)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


POD = Kind("", "v1", "pods", "Pod", singular="pod")
SERVICE = Kind("", "v1", "services", "Service", singular="service")
NODE = Kind("", "v1", "nodes", "Node", namespaced=False, singular="node")
EVENT = Kind("", "v1", "events", "Event", singular="event")
NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False, singular="namespace")
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment", singular="deployment")
REPLICASET = Kind("apps", "v1", "replicasets", "ReplicaSet", singular="replicaset")


class Kinds:
    """The kinds of one cluster, in the server's order of preference."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.all = tuple(kinds)

    def by_gvk(self, api_version: str, kind: str) -> Kind:
        """The kind of an object.

        :raises UnknownKindError: in kubectl's words.
        """
        for found in self.all:
            if found.kind == kind and found.api_version == api_version:
                return found
        message = f'no matches for kind "{kind}" in version "{api_version}"'
        raise UnknownKindError(
            message,
            remedy=" ".join(outdated.replacements(message))
            or "Check `apiVersion` and `kind`; Istio's kinds exist once Istio is installed.",
        )

    def by_name(self, text: str) -> Kind:
        """The kind that a person means: ``deploy``, ``Deployment``, ``deployments.apps``, ``deployments.v1.apps``.

        :raises UnknownKindError: in kubectl's words.
        """
        name, _, rest = text.lower().partition(".")
        version, _, group = rest.partition(".")
        for wanted_group, wanted_version in ((rest, ""), (group, version)):
            for found in self.all:
                if _answers_to(found, name, wanted_group) and wanted_version in ("", found.version):
                    return found
        raise UnknownKindError(
            f'the server doesn\'t have a resource type "{text}"',
            remedy="`%kubectl api-resources` lists what is served; Istio's kinds exist once Istio is installed.",
        )

    def in_category(self, category: str) -> list[Kind]:
        """The kinds of a category such as ``all``."""
        return [found for found in self.all if category in found.categories]


def _answers_to(kind: Kind, name: str, group: str) -> bool:
    names = {kind.plural, kind.singular, kind.kind.lower(), *kind.short_names}
    return name in names and (not group or group == kind.group)


def discover(rest: Rest) -> Kinds:
    """Ask the server what it serves: two requests."""
    kinds: list[Kind] = []
    for root in ("/api", "/apis"):
        document = rest.get(root, accept=ACCEPT)
        if document.get("kind") != "APIGroupDiscoveryList":
            raise ClusterError(
                "this cluster does not offer aggregated discovery",
                remedy="The course needs Kubernetes 1.27 or newer.",
            )
        kinds.extend(_parse(document))
    return Kinds(kinds)


def _parse(document: dict[str, Any]) -> Iterator[Kind]:
    for group in document.get("items") or []:
        name = group.get("metadata", {}).get("name", "")
        for version in group.get("versions") or []:
            for resource in version.get("resources") or []:
                yield _kind(name, version["version"], resource)


def _kind(group: str, version: str, resource: dict[str, Any]) -> Kind:
    response = resource.get("responseKind") or {}
    return Kind(
        group=group,
        version=version,
        plural=resource["resource"],
        kind=response.get("kind", ""),
        namespaced=resource.get("scope") == "Namespaced",
        singular=resource.get("singularResource", ""),
        short_names=tuple(resource.get("shortNames") or ()),
        categories=tuple(resource.get("categories") or ()),
        verbs=tuple(resource.get("verbs") or ()),
        subresources=tuple(sub["subresource"] for sub in resource.get("subresources") or ()),
    )
