"""The ``scale`` subresource: ``autoscaling/v1`` Scale as a view of a workload or custom resource."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry.kinds import ScalePaths
from meshcourse.embedded.apiserver.rest import metadata, ownership, read, virtual
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.patch import PatchKind
from meshcourse.embedded.apiserver.rest.update import change_object
from meshcourse.embedded.kube import objects, selectors, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import jsonpatch, merge
from meshcourse.embedded.kube.patches.errors import PatchError, PatchFailed
from meshcourse.embedded.kube.status import Cause

_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Scale(virtual.Virtual):
    async def get(self, core: Core, call: Call) -> Object:
        return _view(call, read.get(core, call))

    async def update(self, core: Core, call: Call, body: Object) -> Object:
        def change(old: Object) -> Object:
            return _changed(call, old, body)

        return _view(call, await change_object(core, call, change))

    async def patch(self, core: Core, call: Call, body: Any, kind: PatchKind) -> Object:
        def change(old: Object) -> Object:
            return _changed(call, old, _patched(_view(call, old), body, kind))

        return _view(call, await change_object(core, call, change))


def _patched(scale: Object, body: Any, kind: PatchKind) -> Object:
    if kind != "json":  # a Scale has no lists, so all other kinds are a merge
        patched = merge.apply(scale, body)
        if not objects.dig(body, "metadata.resourceVersion"):
            patched["metadata"].pop("resourceVersion", None)
        return dict(patched)
    try:
        changed: Object = jsonpatch.apply(scale, body)
    except (PatchError, PatchFailed) as error:
        raise status.bad_request(f"error decoding patch: {error}") from None
    return changed


def _changed(call: Call, old: Object, scale: Object) -> Object:
    metadata.check_uid(call, str(objects.dig(scale, "metadata.uid", "")), old)
    replicas = objects.dig(scale, "spec.replicas", 0)
    _check(call, replicas)
    new = objects.clone(old)
    new["metadata"]["resourceVersion"] = objects.dig(scale, "metadata.resourceVersion")
    _set(new, _paths(call).spec, replicas)
    ownership.updated(call, new, old)
    return new


def _check(call: Call, replicas: Any) -> None:
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise status.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            f"{'string' if isinstance(replicas, str) else 'value'} into Go struct field "
            "ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        cause = Cause("FieldValueInvalid", text, "spec.replicas")
        error = status.invalid(call.resource, call.name, [cause])
        error.message = f'Scale.autoscaling "{call.name}" is invalid: spec.replicas: {text}'
        raise error


def _paths(call: Call) -> ScalePaths:
    if call.kind.scale is None:
        raise LookupError(f"{call.resource.qualified} has no scale")
    return call.kind.scale


def _set(obj: Object, path: str, value: int) -> None:
    *steps, last = path.split(".")
    for step in steps:
        obj = obj.setdefault(step, {})
    obj[last] = value


def _view(call: Call, obj: Object) -> Object:
    paths = _paths(call)
    state: Object = {"replicas": objects.dig(obj, paths.status, 0)}
    selector = objects.dig(obj, paths.selector) if paths.selector else None
    if selector:
        state["selector"] = selector if isinstance(selector, str) else _render(call, selector)
    meta = obj["metadata"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in _SHOWN if field in meta},
        "spec": {"replicas": objects.dig(obj, paths.spec, 0)},
        "status": state,
    }


def _render(call: Call, selector: Object) -> str:
    if call.kind.key == "replicationcontrollers":
        return selectors.render({"matchLabels": selector})
    return selectors.render(selector)
