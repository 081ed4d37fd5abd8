"""DELETE: preconditions, grace, finalizers, propagation.

Source: the generic registry store (``BeforeDelete``, ``deletionFinalizersForGarbageCollection``) and the pod strategy.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry import conversion, custom
from meshcourse.embedded.apiserver.rest import metadata, read
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.filters import Filter
from meshcourse.embedded.apiserver.store.store import Changed
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object

_ATTEMPTS = 5
_FINAL_PHASES = frozenset({"Succeeded", "Failed"})
#: Kinds whose deletion answers with the object; the others answer with a Status.
_RETURNED = frozenset(
    {
        "limitranges",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
        "storageclasses.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
    }
)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """``metav1.DeleteOptions``; `propagation` "" means the kind's default (Background)."""

    propagation: str = ""
    grace_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""


def options(body: Object) -> DeleteOptions:
    """From a request's body.

    :raises ApiError: 422 for values that do not exist.
    """
    given = body.get("preconditions") or {}
    propagation = str(body.get("propagationPolicy") or "")
    if not propagation and body.get("orphanDependents") is not None:
        propagation = "Orphan" if body["orphanDependents"] else "Background"
    if propagation not in ("", "Background", "Foreground", "Orphan"):
        raise _unsupported(propagation)
    grace: Any = body.get("gracePeriodSeconds")
    return DeleteOptions(
        propagation,
        None if grace is None else int(grace),
        str(given.get("uid") or ""),
        str(given.get("resourceVersion") or ""),
    )


def _unsupported(value: str) -> status.ApiError:
    text = (
        f'Invalid value: "{value}": DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: '
        f'Unsupported value: "{value}": supported values: "Foreground", "Background", "Orphan"'
    )
    return status.ApiError(422, "Invalid", text, {"group": "meta.k8s.io", "kind": "DeleteOptions"})


def finished(obj: Object) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if obj["kind"] == "Namespace" and objects.dig(obj, "spec.finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds")


async def delete(core: Core, call: Call, wanted: DeleteOptions) -> Object:
    """Delete, or begin to. Returns what the API answers: the object, or a Status if it is gone."""
    for _ in range(_ATTEMPTS):
        old = read.stored(core, call)
        metadata.check_uid(call, wanted.uid, old)
        metadata.check_version(call, wanted.resource_version, old)
        await _admit(core, call, old)
        try:
            return _delete(core, call, old, wanted)
        except Changed:
            continue
    raise status.conflict(call.resource, call.name)


async def _admit(core: Core, call: Call, old: Object) -> None:
    attributes = Attributes(call, "DELETE", None, conversion.from_storage(call.kind, old))
    await core.chain.mutate(attributes)
    await core.chain.validate(attributes)


def _delete(core: Core, call: Call, old: Object, wanted: DeleteOptions) -> Object:
    marked = _mark(call, old, wanted)
    gone = finished(marked)
    if call.options.dry_run:
        result = marked
    elif gone:
        if _finalizers(old) != _finalizers(marked):
            old = core.store.replace(call.kind.key, marked, old)
        result = core.store.remove(call.kind.key, old)
    elif marked == old:
        result = old
    else:
        result = core.store.replace(call.kind.key, marked, old)
    if gone and call.kind.key not in _RETURNED:
        return _success(call, old)
    return conversion.from_storage(call.kind, result)


def _mark(call: Call, old: Object, wanted: DeleteOptions) -> Object:
    """`old` with what a deletion writes into it."""
    marked = {**old, "metadata": dict(old["metadata"])}
    meta = marked["metadata"]
    finalizers = _finalizers(old)
    if call.kind.key != refs.EVENTS.qualified:
        finalizers = _garbage_finalizers(finalizers, wanted.propagation)
    meta.pop("finalizers", None)
    if finalizers:
        meta["finalizers"] = finalizers
    _set_grace(meta, _grace(call, old, wanted.grace_seconds))
    if old["kind"] == "Namespace":
        marked["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    if call.kind.key == refs.CRDS.qualified:
        custom.complete(marked)
    if "generation" in meta and "deletionTimestamp" not in old["metadata"]:
        meta["generation"] += 1
    return marked


def _finalizers(obj: Object) -> list[str]:
    return list(obj["metadata"].get("finalizers") or ())


def _garbage_finalizers(found: list[str], propagation: str) -> list[str]:
    """The garbage collector acts on these two finalizers; a later deletion may choose differently."""
    if not propagation:
        return found
    kept = [name for name in found if name not in ("orphan", "foregroundDeletion")]
    chosen = {"Orphan": ["orphan"], "Foreground": ["foregroundDeletion"]}.get(propagation, [])
    return kept + chosen


def _grace(call: Call, old: Object, wanted: int | None) -> int:
    """How long a pod may take to stop; everything else needs no time."""
    if call.kind.key != refs.PODS.qualified:
        return 0
    if not objects.dig(old, "spec.nodeName") or objects.dig(old, "status.phase") in _FINAL_PHASES:
        return 0
    seconds = wanted
    if seconds is None:
        seconds = objects.dig(old, "spec.terminationGracePeriodSeconds", 30)
    return 1 if seconds < 0 else int(seconds)


def _set_grace(meta: Object, seconds: int) -> None:
    """Begin a deletion, or shorten the time that one has left."""
    before = meta.get("deletionGracePeriodSeconds")
    if meta.get("deletionTimestamp") and before is not None and seconds >= before:
        return
    when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    if not meta.get("deletionTimestamp") or before:
        meta["deletionTimestamp"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    meta["deletionGracePeriodSeconds"] = seconds


def _success(call: Call, old: Object) -> Object:
    resource = call.resource
    details: Object = {"name": call.name}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": objects.uid(old)}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


async def delete_collection(
    core: Core, call: Call, chosen: Filter, wanted: DeleteOptions
) -> list[Object]:
    """Delete all that the filter lets through; returns them as they were."""
    found = core.store.list(call.kind.key, call.namespace)
    doomed = [obj for obj in found if chosen.matches(obj)]
    for obj in doomed:
        one = Call(
            call.user,
            "delete",
            call.kind,
            objects.namespace(obj),
            objects.name(obj),
            options=call.options,
            agent=call.agent,
        )
        try:
            await delete(core, one, wanted)
        except status.ApiError as error:
            if error.reason != "NotFound":
                raise
    return [conversion.from_storage(call.kind, obj) for obj in doomed]
