"""EndpointSlices for Endpoints that somebody made by hand for a Service without a selector.

Source: Kubernetes documentation of EndpointSlices, "EndpointSlice mirroring".
"""

from __future__ import annotations

from meshcourse.embedded.controllers import endpoint_plan, endpoints, slice_plan
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.endpoint_plan import Port, Ports
from meshcourse.embedded.controllers.slice_writer import SliceWriter
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object

CONTROLLER = "endpointslicemirroring-controller.k8s.io"
_SKIP = "endpointslice.kubernetes.io/skip-mirror"
_LEADER = "control-plane.alpha.kubernetes.io/leader"


class EndpointsMirroringController(Controller):
    name = "endpoint-slice-mirroring-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(refs.SERVICES)
        self._endpoints = context.informer(refs.ENDPOINTS)
        self._writer = SliceWriter(self, context.informer(refs.ENDPOINTSLICES), CONTROLLER)
        self._services.add_handler(self.enqueue)
        self._endpoints.add_handler(self.enqueue)

    async def sync(self, key: Key) -> float | None:
        source, service = self._endpoints.get(*key), self._services.get(*key)
        if source is None or service is None or not _is_mirrored(source, service):
            await self._writer.write(
                key, service, slice_plan.Plan(delete=self._writer.existing(key))
            )
            return None
        labels = {**objects.labels(source), slice_plan.SERVICE_NAME: key.name}
        labels[slice_plan.MANAGED_BY] = CONTROLLER
        known = self._writer.existing(key)
        await self._writer.write(
            key, service, slice_plan.plan(source, labels, groups(source), known)
        )
        return None


def _is_mirrored(source: Object, service: Object) -> bool:
    labels = objects.labels(source)
    return (
        not endpoint_plan.selects(service)
        and not objects.deleting(source)
        and labels.get(_SKIP) != "true"
        and endpoints.MANAGED_BY not in labels
        and _LEADER not in objects.annotations_of(source)
    )


def groups(source: Object) -> dict[Ports, list[Object]]:
    """The endpoints of an Endpoints object by ports."""
    found: dict[Ports, list[Object]] = {}
    for subset in source.get("subsets") or []:
        ports = tuple(_port(port) for port in subset.get("ports") or [])
        group = found.setdefault(ports, [])
        group += [_endpoint(one, ready=True) for one in subset.get("addresses") or []]
        group += [_endpoint(one, ready=False) for one in subset.get("notReadyAddresses") or []]
    return found


def _port(port: Object) -> Port:
    name, protocol = port.get("name", ""), port.get("protocol", "TCP")
    return Port(name, int(port["port"]), protocol, port.get("appProtocol", ""))


def _endpoint(address: Object, *, ready: bool) -> Object:
    found: Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for field in ("hostname", "nodeName", "targetRef"):
        if address.get(field):
            found[field] = address[field]
    return found
