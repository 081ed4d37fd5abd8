"""Kinds that a CustomResourceDefinition describes, and what the server itself writes into a definition.

All versions are views of one stored object (conversion strategy None: only ``apiVersion`` changes).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from meshcourse.embedded.apiserver.registry.kinds import Kind, ScalePaths
from meshcourse.embedded.apiserver.schemas.kinds import ALL_VERBS, Subresource
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

#: Keeps a definition until its objects are gone.
FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
_CHANGE = ("get", "patch", "update")


def kinds(crd: Object) -> list[Kind]:
    """A kind for every served version of a definition."""
    spec = crd["spec"]
    storage = next(version for version in spec["versions"] if version.get("storage"))
    stored = _resource(spec, storage["name"])
    return [_kind(crd, version, stored) for version in spec["versions"] if version.get("served")]


def _resource(spec: Object, version: str) -> Resource:
    names = spec["names"]
    return Resource(
        spec["group"], version, names["plural"], names["kind"], spec.get("scope") == "Namespaced"
    )


def _kind(crd: Object, version: Object, storage: Resource) -> Kind:
    names = crd["spec"]["names"]
    subresources = version.get("subresources") or {}
    return Kind(
        resource=_resource(crd["spec"], version["name"]),
        storage=storage,
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=ALL_VERBS,
        status="status" in subresources,
        scale=_scale(subresources.get("scale")),
        subresources=tuple(_subresources(names["kind"], subresources)),
        crd=crd,
    )


def _subresources(kind: str, found: Object) -> Iterator[Subresource]:
    if "scale" in found:
        yield Subresource("scale", "Scale", _CHANGE, "autoscaling", "v1")
    if "status" in found:
        yield Subresource("status", kind, _CHANGE)


def _scale(scale: Object | None) -> ScalePaths | None:
    if scale is None:
        return None
    return ScalePaths(
        scale["specReplicasPath"].lstrip("."),
        scale["statusReplicasPath"].lstrip("."),
        (scale.get("labelSelectorPath") or "").lstrip("."),
    )


def complete(crd: Object) -> None:
    """What the real server's controllers write soon after: accepted names, conditions, the finalizer. In place.

    Doing it at once means that a definition is established when its creation returns.
    """
    spec, before = crd["spec"], crd.get("status") or {}
    crd["status"] = {
        **before,
        "acceptedNames": dict(spec["names"]),
        "conditions": _conditions(crd, before),
        "storedVersions": _stored(spec, before),
    }
    finalizers = crd["metadata"].get("finalizers") or []
    if not objects.deleting(crd) and FINALIZER not in finalizers:
        crd["metadata"]["finalizers"] = [*finalizers, FINALIZER]


def _stored(spec: Object, before: Object) -> list[str]:
    stored: list[str] = list(before.get("storedVersions") or ())
    current = [version["name"] for version in spec["versions"] if version.get("storage")]
    return stored + [name for name in current if name not in stored]


def _conditions(crd: Object, before: Object) -> list[Any]:
    wanted = [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        _condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ]
    if objects.deleting(crd):
        wanted.append(
            _condition(
                "Terminating",
                "InstanceDeletionInProgress",
                "CustomResource deletion is in progress",
            )
        )
    known = {found.get("type"): found for found in before.get("conditions") or ()}
    return [known.pop(one["type"], one) for one in wanted] + list(known.values())


def _condition(kind: str, reason: str, message: str) -> Object:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": objects.now(),
        "reason": reason,
        "message": message,
    }
