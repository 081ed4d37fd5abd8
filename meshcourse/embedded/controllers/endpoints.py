"""Legacy Endpoints objects of Services with a selector.

Source: API reference of Endpoints. Superseded by EndpointSlices, but ``kubectl get endpoints`` and some tools still
read them. Terminating pods are left out.
"""

from __future__ import annotations

from meshcourse.embedded.controllers import endpoint_plan, refusals, slice_plan
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.endpointslice import watch_services
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
_MANAGER = "endpoint-controller"

#: Seconds for which changes are gathered: nothing that is in a hurry reads these objects.
_PAUSE = 0.05


class EndpointsController(Controller):
    name = "endpoint-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(refs.SERVICES)
        self._pods = context.informer(refs.PODS)
        self._endpoints = context.informer(refs.ENDPOINTS)
        watch_services(context, lambda key: self.queue.add_after(key, _PAUSE))
        self._endpoints.add_handler(self._changed)

    def _changed(self, type_: str, obj: Object, old: Object | None) -> None:
        if objects.labels(obj).get(MANAGED_BY) == _MANAGER or type_ == "DELETED":
            self.queue.add(objects.key(obj))

    async def sync(self, key: Key) -> float | None:
        service = self._services.get(*key)
        known = self._endpoints.get(*key)
        if service is None:
            if known is not None and objects.labels(known).get(MANAGED_BY) == _MANAGER:
                await self._delete(key, known)
            return None
        if objects.deleting(service) or not endpoint_plan.selects(service):
            return None
        chosen = self._pods.by_label(service["spec"]["selector"], key.namespace)
        wanted = build(service, endpoint_plan.endpoints(service, chosen, {}))
        if known is None:
            await self._create(key, wanted)
        elif not _same(known, wanted):
            await self._update(key, known, wanted)
        return None

    async def _create(self, key: Key, wanted: Object) -> None:
        try:
            made = await self.client.create(
                refs.ENDPOINTS, wanted, key.namespace, field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if refusals.namespace_is_terminating(error):
                return
            raise
        self.writes.wrote(key, self._endpoints, made)

    async def _update(self, key: Key, known: Object, wanted: Object) -> None:
        meta = {**known["metadata"], "labels": wanted["metadata"]["labels"]}
        changed = {k: v for k, v in known.items() if k != "subsets"}
        changed |= {"metadata": meta}
        if wanted.get("subsets"):
            changed["subsets"] = wanted["subsets"]
        written = await self.client.update(refs.ENDPOINTS, changed, field_manager=FIELD_MANAGER)
        self.writes.wrote(key, self._endpoints, written)

    async def _delete(self, key: Key, known: Object) -> None:
        try:
            await self.client.delete(
                refs.ENDPOINTS, key.name, key.namespace, uid=objects.uid(known)
            )
        except ApiError as error:
            if not refusals.is_gone(error):
                raise


def build(service: Object, groups: dict[endpoint_plan.Ports, list[Object]]) -> Object:
    """The Endpoints object for these endpoints."""
    labels = {**objects.labels(service), MANAGED_BY: _MANAGER}
    if objects.dig(service, "spec.clusterIP") == "None":
        labels[slice_plan.HEADLESS] = ""
    found: Object = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": objects.name(service),
            "namespace": objects.namespace(service),
            "labels": labels,
        },
    }
    subsets = [_subset(ports, endpoints) for ports, endpoints in sorted(groups.items())]
    subsets = [one for one in subsets if "addresses" in one or "notReadyAddresses" in one]
    return found | ({"subsets": subsets} if subsets else {})


def _subset(ports: endpoint_plan.Ports, endpoints: list[Object]) -> Object:
    staying = [one for one in endpoints if not one["conditions"]["terminating"]]
    ready = [_address(one) for one in staying if one["conditions"]["ready"]]
    waiting = [_address(one) for one in staying if not one["conditions"]["ready"]]
    found: Object = {"addresses": ready} if ready else {}
    found |= {"notReadyAddresses": waiting} if waiting else {}
    rendered = [{k: v for k, v in port.render().items() if v != ""} for port in ports]
    return found | ({"ports": rendered} if rendered else {})


def _address(endpoint: Object) -> Object:
    found: Object = {"ip": endpoint["addresses"][0]}
    for field in ("hostname", "nodeName", "targetRef"):
        if endpoint.get(field):
            found[field] = endpoint[field]
    return found


def _same(known: Object, wanted: Object) -> bool:
    labels = objects.labels(known) == objects.labels(wanted)
    return labels and (known.get("subsets") or []) == (wanted.get("subsets") or [])
