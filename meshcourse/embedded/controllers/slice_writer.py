"""Writing what `slice_plan` decided, for the two controllers that own EndpointSlices."""

from __future__ import annotations

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.controllers import refusals, slice_plan
from meshcourse.embedded.controllers.context import FIELD_MANAGER
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError


class SliceWriter:
    """The slices of one manager (the value of the label ``managed-by``)."""

    def __init__(self, controller: Controller, slices: Informer, manager: str) -> None:
        self._controller = controller
        self._client = controller.client
        self._slices = slices
        self._manager = manager

    def existing(self, key: Key) -> list[Object]:
        """The slices of the Service `key`."""
        marks = {slice_plan.SERVICE_NAME: key.name, slice_plan.MANAGED_BY: self._manager}
        found = self._slices.by_label(marks, key.namespace)
        return [one for one in found if not objects.deleting(one)]

    async def write(self, key: Key, service: Object | None, plan: slice_plan.Plan) -> None:
        """Carry out `plan`; failures to create are told as events of `service`.

        One after the other: tasks of their own would have to wait for those of other controllers.
        """
        for one in plan.update:
            await self._update(key, one)
        for one in plan.create:
            await self._create(key, service, one)
        for one in plan.delete:  # last, so that there is no moment without endpoints
            await self._delete(key, one)

    async def _create(self, key: Key, service: Object | None, one: Object) -> None:
        try:
            made = await self._client.create(
                refs.ENDPOINTSLICES, one, key.namespace, field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if refusals.namespace_is_terminating(error):
                return
            if service is not None:
                name = f"{key.namespace}/{key.name}"
                message = f"Failed to create EndpointSlice for Service {name}: {error.message}"
                recorder = self._controller.recorder
                recorder.event(service, "Warning", "FailedToCreateEndpointSlices", message)
            raise
        self._controller.writes.wrote(key, self._slices, made)

    async def _update(self, key: Key, one: Object) -> None:
        written = await self._client.update(refs.ENDPOINTSLICES, one, field_manager=FIELD_MANAGER)
        self._controller.writes.wrote(key, self._slices, written)

    async def _delete(self, key: Key, one: Object) -> None:
        name, uid = objects.name(one), objects.uid(one)
        try:
            await self._client.delete(refs.ENDPOINTSLICES, name, key.namespace, uid=uid)
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
        self._controller.writes.deleted(key, self._slices, one)
