"""Subresources of pods that are orders: binding to a node, eviction."""

from __future__ import annotations

import dataclasses

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import delete, metadata, ownership, read, virtual
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.update import change_object
from meshcourse.embedded.kube import objects, refs, selectors, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

_BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class Bindings(virtual.Virtual):
    """``pods/binding``, and ``bindings`` with the pod's name in the body."""

    async def create(self, core: Core, call: Call, body: Object) -> Object:
        """Give a pod the node that ``target`` names."""
        node = objects.dig(body, "target.name", "")
        if objects.dig(body, "target.kind", "Node") not in ("", "Node") or not node:
            raise status.bad_request("target.name: Required value")
        name = call.name or objects.name(body)
        pod_kind = core.registry.of(refs.PODS)
        assert pod_kind is not None
        inner = Call(
            call.user, "update", pod_kind, call.namespace, name, "binding", call.options, call.agent
        )

        def change(old: Object) -> Object:
            metadata.check_uid(inner, objects.uid(body), old)
            return _bound(inner, old, node, body)

        await change_object(core, inner, change)
        return dict(_SUCCESS)


def _bound(call: Call, old: Object, node: str, body: Object) -> Object:
    if objects.deleting(old):
        raise status.conflict(
            call.resource,
            call.name,
            f"pod {call.name} is being deleted, cannot be assigned to a host",
        )
    assigned = objects.dig(old, "spec.nodeName", "")
    if assigned:
        why = f'pod {call.name} is already assigned to node "{assigned}"'
        raise status.conflict(refs.Resource("", "v1", "pods/binding", "Binding"), call.name, why)
    new = objects.clone(old)
    new["spec"]["nodeName"] = node
    notes = objects.annotations_of(body)
    if notes:
        new["metadata"]["annotations"] = {**objects.annotations_of(new), **notes}
    _schedule(new.setdefault("status", {}))
    ownership.updated(call, new, old)
    return new


def _schedule(state: Object) -> None:
    conditions = [c for c in state.get("conditions") or () if c.get("type") != "PodScheduled"]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": objects.now(),
    }
    state["conditions"] = [*conditions, scheduled]


class Evictions(virtual.Virtual):
    async def create(self, core: Core, call: Call, body: Object) -> Object:
        """Delete a pod unless a disruption budget forbids it.

        :raises ApiError: 429 with the budget's name.
        """
        pod = read.stored(core, call)
        for budget in core.store.list(_BUDGETS.qualified, call.namespace):
            _check(budget, pod)
        given = body.get("deleteOptions") or {}
        wanted = delete.options(given)
        # kubectl drain says in the body that it only rehearses.
        rehearsal = dataclasses.replace(call.options, dry_run=True)
        options = rehearsal if given.get("dryRun") else call.options
        plain = Call(
            call.user, "delete", call.kind, call.namespace, call.name, "", options, call.agent
        )
        await delete.delete(core, plain, wanted)
        return dict(_SUCCESS)


def _check(budget: Object, pod: Object) -> None:
    chosen = selectors.from_object(objects.dig(budget, "spec.selector"))
    allowed = objects.dig(budget, "status.disruptionsAllowed")
    if allowed != 0 or not chosen.matches(objects.labels(pod)):
        return
    name = objects.name(budget)
    state = budget["status"]
    why = (
        f"The disruption budget {name} needs {state.get('desiredHealthy', 0)} healthy pods and has "
        f"{state.get('currentHealthy', 0)} currently"
    )
    raise ApiError(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        {"causes": [{"reason": "DisruptionBudget", "message": why}]},
    )
