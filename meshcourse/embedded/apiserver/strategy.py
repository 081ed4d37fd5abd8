"""The core's one door to what knows the kinds: schemas, rules, tables, protobuf.

Imports happen at first use: a server that has not been asked for a table has not loaded tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcourse.embedded.apiserver.contracts import Schema
from meshcourse.embedded.apiserver.registry import custom
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import Cause

if TYPE_CHECKING:
    from meshcourse.embedded.apiserver.tables import Include


def schema(kind: Kind) -> Schema:
    """The schema of a served kind."""
    from meshcourse.embedded.apiserver import schemas

    if kind.crd is None:
        return schemas.for_builtin(kind.resource)
    return schemas.for_crd(kind.crd, kind.resource.version)


def prepare_create(kind: Kind, obj: Object) -> None:
    """What a new object of this kind starts with (status, generation), in place."""
    from meshcourse.embedded.apiserver.validation import strategy

    strategy.prepare_create(kind.resource, obj, status_subresource=kind.status)
    if kind.key == refs.CRDS.qualified:
        custom.complete(obj)


def prepare_update(kind: Kind, obj: Object, old: Object) -> None:
    """What an update may not touch, and the generation, in place."""
    from meshcourse.embedded.apiserver.validation import strategy

    strategy.prepare_update(kind.resource, obj, old, status_subresource=kind.status)
    if kind.key == refs.CRDS.qualified:
        custom.complete(obj)


def validate(kind: Kind, obj: Object, old: Object | None) -> list[Cause]:
    """Everything that is wrong with `obj` (as a successor of `old`)."""
    from meshcourse.embedded.apiserver import validation

    return [*schema(kind).validate(obj, old), *validation.validate(kind.resource, obj, old)]


def table(kind: Kind, found: list[Object], meta: Object, include: Include) -> Object:
    """``meta.k8s.io/v1`` Table of a list or of a single object."""
    from meshcourse.embedded.apiserver import tables

    rendered = tables.table(kind.resource, found, crd_columns=columns(kind), include=include)
    rendered["metadata"] = meta
    return rendered


def columns(kind: Kind) -> list[Object] | None:
    """``additionalPrinterColumns`` of a custom kind's version, None for a built-in kind."""
    if kind.crd is None:
        return None
    versions = objects.dig(kind.crd, "spec.versions", [])
    name = kind.resource.version
    version = next(found for found in versions if found["name"] == name)
    found: list[Object] = version.get("additionalPrinterColumns") or []
    return found


def decode_protobuf(body: bytes, content_type: str) -> Object:
    """A body in Kubernetes' protobuf envelope.

    :raises ApiError: 400 or 415.
    """
    from meshcourse.embedded.apiserver import protobuf

    found: Object = protobuf.decode(body, content_type)
    return found
