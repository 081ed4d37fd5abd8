"""A served kind: one version of one resource, as discovery describes it.

Source: Kubernetes API concepts; ``meta.k8s.io`` APIResource.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshcourse.embedded.apiserver.schemas.kinds import ALL_VERBS, Subresource
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps what the ``scale`` subresource shows: dotted paths without the leading dot."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = "status.selector"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One version of one resource.

    `storage` is the version in which objects are stored (the same resource name in every version). `crd` is the
    definition of a custom kind. `subresources` holds what discovery lists, ``status`` and ``scale`` included.
    """

    resource: Resource
    storage: Resource
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    status: bool = False
    scale: ScalePaths | None = None
    subresources: tuple[Subresource, ...] = ()
    crd: Object | None = None

    @property
    def key(self) -> str:
        """The store's name for all versions: ``deployments.apps``."""
        return self.storage.qualified

    @property
    def virtual(self) -> bool:
        """Answered without storage: reviews, bindings, metrics."""
        return "update" not in self.verbs

    def subresource(self, name: str) -> Subresource | None:
        return next((found for found in self.subresources if found.name == name), None)
