"""EndpointSlices for Services with a selector.

Source: Kubernetes documentation of EndpointSlices. What a slice should hold is decided in `endpoint_plan`, how
endpoints are spread in `slice_plan`; here they are written. Services without a selector are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshcourse.embedded.controllers import endpoint_plan, slice_plan
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.slice_writer import SliceWriter
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object

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
        self._writer = SliceWriter(self, self._slices, slice_plan.CONTROLLER)
        watch_services(context, self.queue.add)
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
        plan = slice_plan.plan(service, labels, groups, self._writer.existing(key))
        await self._writer.write(key, service, plan)
        return None

    def _zones(self) -> dict[str, str]:
        nodes = self._nodes.items.values()
        return {objects.name(node): objects.labels(node).get(_ZONE, "") for node in nodes}


def watch_services(context: Context, add: Callable[[Key], None]) -> None:
    """Call `add` with a Service when it, or a pod that it selects, changes in a way that matters to endpoints."""
    services = context.informer(refs.SERVICES)
    services.add_index("selector", _selector_terms)
    services.add_handler(lambda type_, obj, old: add(objects.key(obj)))

    def pod_changed(type_: str, pod: Object, old: Object | None) -> None:
        if type_ == "MODIFIED" and not endpoint_plan.matters(pod, old):
            return
        for version in (pod, old) if old is not None else (pod,):
            for service in selecting_services(context, version):
                add(objects.key(service))

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
