"""The built-in kinds (the table is `schemas.kinds`), with how they are stored and scaled."""

from __future__ import annotations

from collections.abc import Iterator

from meshcourse.embedded.apiserver.registry.kinds import Kind, ScalePaths
from meshcourse.embedded.apiserver.schemas import kinds as catalogue
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.refs import Resource

#: Versions and groups that are views of another one's objects.
_STORED_AS = {
    "autoscaling/v1": refs.HPAS,
    "events.k8s.io/v1": refs.EVENTS,
}


def kinds() -> Iterator[Kind]:
    """Every built-in kind, core first, then by group; the preferred version of a group first."""
    for found in catalogue.builtin_kinds():
        names = found.subresources
        yield Kind(
            resource=found.resource,
            storage=_storage(found.resource),
            singular=found.singular,
            short_names=found.short_names,
            categories=found.categories,
            verbs=found.verbs,
            status="status" in names,
            scale=ScalePaths(selector="spec.selector") if "scale" in names else None,
            subresources=found.subresource_details,
        )


def _storage(resource: Resource) -> Resource:
    return _STORED_AS.get(resource.api_version, resource)
