"""``metrics.k8s.io`` and component statuses: read-only kinds without objects of their own."""

from __future__ import annotations

from meshcourse.embedded.apiserver import metrics
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import virtual
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.filters import Filter
from meshcourse.embedded.apiserver.rest.read import Page
from meshcourse.embedded.kube import refs, status
from meshcourse.embedded.kube.objects import Object


class Measurements(virtual.Virtual):
    """PodMetrics or NodeMetrics, as the node measures them."""

    async def get(self, core: Core, call: Call) -> Object:
        found = core.store.get(call.resource.plural, call.namespace, call.name)
        measured = self._measure(core, found) if found else None
        if measured is None:
            raise status.not_found(call.resource, f"{call.namespace}/{call.name}".strip("/"))
        return measured

    def list(self, core: Core, call: Call, chosen: Filter) -> Page:
        found = core.store.list(call.resource.plural, call.namespace)
        measured = (self._measure(core, obj) for obj in found if chosen.matches(obj))
        return Page([one for one in measured if one is not None], str(core.store.revision))

    def _measure(self, core: Core, obj: Object) -> Object | None:
        if core.backend is None:
            return None
        if obj["kind"] == refs.PODS.kind:
            return metrics.pod_metrics(core.backend, obj)
        return metrics.node_metrics(core.backend, obj)


class ComponentStatuses(virtual.Virtual):
    """Deprecated since 1.19; what answers is this process, so it is healthy."""

    async def get(self, core: Core, call: Call) -> Object:
        if call.name not in _COMPONENTS:
            raise status.not_found(call.resource, call.name)
        return _component(call, call.name)

    def list(self, core: Core, call: Call, chosen: Filter) -> Page:
        return Page([_component(call, name) for name in _COMPONENTS], str(core.store.revision))


_COMPONENTS = ("controller-manager", "scheduler")


def _component(call: Call, name: str) -> Object:
    healthy = {"type": "Healthy", "status": "True", "message": "ok"}
    return {
        "kind": call.resource.kind,
        "apiVersion": call.resource.api_version,
        "metadata": {"name": name, "creationTimestamp": None},
        "conditions": [healthy],
    }
