"""EndpointSlices for Services with a selector.

Source: Kubernetes documentation of EndpointSlices. What a slice should hold is decided in `endpoint_plan`, how
endpoints are spread in `slice_plan`; here they are written. Services without a selector are left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from meshcourse.embedded.controllers import endpoint_plan, refusals, slice_plan
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError

_ZONE = "topology.kubernetes.io/zone"


class EndpointSliceController(Controller):
    name = "endpoint-slice-controller"
    workers = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(refs.SERVICES)
        self._pods = context.informer(refs.PODS)
        self._slices = context.informer(refs.ENDPOINTSLICES)
        self._nodes = context.informer(refs.NODES)
        watch_services(context, self)
        self._slices.add_handler(self._slice_changed)

    def _slice_changed(self, type_: str, obj: Object, old: Object | None) -> None:
        labels = objects.labels(obj)
        if labels.get(slice_plan.MANAGED_BY) == slice_plan.CONTROLLER:
            name = labels.get(slice_plan.SERVICE_NAME, "")
            self.queue.add(Key(objects.namespace(obj), name))

    async def sync(self, key: Key) -> float | None:
        service = self._services.get(*key)
        if service is None or objects.deleting(service) or not endpoint_plan.selects(service):
            return None
        chosen = self._pods.by_label(service["spec"]["selector"], key.namespace)
        groups = endpoint_plan.endpoints(service, chosen, self._zones())
        labels = slice_plan.labels_for(service)
        await self._write(
            key, service, slice_plan.plan(service, labels, groups, self._existing(key))
        )
        return None

    def _existing(self, key: Key) -> list[Object]:
        marks = {slice_plan.SERVICE_NAME: key.name, slice_plan.MANAGED_BY: slice_plan.CONTROLLER}
        found = self._slices.by_label(marks, key.namespace)
        return [one for one in found if not objects.deleting(one)]

    def _zones(self) -> dict[str, str]:
        nodes = self._nodes.items.values()
        return {objects.name(node): objects.labels(node).get(_ZONE, "") for node in nodes}

    async def _write(self, key: Key, service: Object, plan: slice_plan.Plan) -> None:
        await asyncio.gather(
            *(self._create(key, service, one) for one in plan.create),
            *(self._update(key, one) for one in plan.update),
        )
        # New places are there before old ones go: no moment without endpoints.
        await asyncio.gather(*(self._delete(key, one) for one in plan.delete))

    async def _create(self, key: Key, service: Object, one: Object) -> None:
        try:
            made = await self.client.create(
                refs.ENDPOINTSLICES, one, key.namespace, field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if refusals.namespace_is_terminating(error):
                return
            message = (
                f"Failed to create EndpointSlice for Service {key.namespace}/{key.name}: "
                f"{error.message}"
            )
            self.recorder.event(service, "Warning", "FailedToCreateEndpointSlices", message)
            raise
        self.writes.wrote(key, self._slices, made)

    async def _update(self, key: Key, one: Object) -> None:
        written = await self.client.update(refs.ENDPOINTSLICES, one, field_manager=FIELD_MANAGER)
        self.writes.wrote(key, self._slices, written)

    async def _delete(self, key: Key, one: Object) -> None:
        try:
            await self.client.delete(
                refs.ENDPOINTSLICES, objects.name(one), key.namespace, uid=objects.uid(one)
            )
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
        self.writes.deleted(key, self._slices, one)


def watch_services(context: Context, controller: Controller) -> None:
    """Queue a Service when it, or a pod that it selects, changes in a way that matters to endpoints."""
    services = context.informer(refs.SERVICES)
    services.add_index("selector", _selector_terms)
    services.add_handler(controller.enqueue)

    def pod_changed(type_: str, pod: Object, old: Object | None) -> None:
        if type_ == "MODIFIED" and not endpoint_plan.matters(pod, old):
            return
        for version in (pod, old) if old is not None else (pod,):
            for service in selecting_services(context, version):
                controller.queue.add(objects.key(service))

    context.informer(refs.PODS).add_handler(pod_changed)


def selecting_services(context: Context, pod: Object) -> Iterable[Object]:
    """The Services whose selector matches the pod, found by the first term of their selector."""
    services = context.informer(refs.SERVICES)
    labels = objects.labels(pod)
    for label, value in labels.items():
        term = _term(objects.namespace(pod), label, value)
        for service in services.by_index("selector", term):
            if service["spec"]["selector"].items() <= labels.items():
                yield service


def _selector_terms(service: Object) -> Iterable[str]:
    if endpoint_plan.selects(service):
        label, value = min(service["spec"]["selector"].items())
        yield _term(objects.namespace(service), label, value)


def _term(namespace: str, label: str, value: str) -> str:
    return f"{namespace}/{label}={value}"
