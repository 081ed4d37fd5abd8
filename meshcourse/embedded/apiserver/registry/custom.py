"""Kinds that a CustomResourceDefinition describes, and the status it gets when they are served.

All versions are views of one stored object (conversion strategy None: only ``apiVersion`` changes).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meshcourse.embedded.apiserver.registry.kinds import Kind, ScalePaths
from meshcourse.embedded.apiserver.schemas.kinds import ALL_VERBS, Subresource
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

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
    """What the API server's own controllers fill in: names, conditions, stored versions. In place."""
    names = crd["spec"]["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", names["kind"] + "List")
    crd["spec"].setdefault("conversion", {"strategy": "None"})
    status = crd.setdefault("status", {})
    stored = list(status.get("storedVersions") or [])
    stored += [
        version["name"]
        for version in crd["spec"]["versions"]
        if version.get("storage") and version["name"] not in stored
    ]
    status["storedVersions"] = stored
    status["acceptedNames"] = dict(names)
    _condition(status, "NamesAccepted", "NoConflicts", "no conflicts found")
    _condition(
        status, "Established", "InitialNamesAccepted", "the initial names have been accepted"
    )


def _condition(status: Object, kind: str, reason: str, message: str) -> None:
    conditions: list[Any] = status.setdefault("conditions", [])
    if any(found.get("type") == kind for found in conditions):
        return
    conditions.append(
        {
            "type": kind,
            "status": "True",
            "lastTransitionTime": objects.now(),
            "reason": reason,
            "message": message,
        }
    )
