"""Addresses for Services of type LoadBalancer: what a cloud's controller does.

Every such Service gets a loopback address of its own, ``127.<cluster number>.240.<n>``; the kubelet's kube-proxy
listens there. Where the system has only one loopback address, that one is shared.
"""

from __future__ import annotations

from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object

_HOSTS = range(1, 255)


class ServiceAddressController(Controller):
    name = "service-controller"
    workers = 1  # so that no two Services are given the same address

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(refs.SERVICES)
        self._services.add_handler(self.enqueue)
        self._given: dict[str, str] = {}

    async def sync(self, key: Key) -> float | None:
        service = self._services.get(*key)
        if service is None or objects.deleting(service):
            return None
        balanced = service["spec"].get("type") == "LoadBalancer"
        current = objects.dig(service, "status.loadBalancer.ingress", [])
        if not balanced:
            if current:
                await self._release(key, service)
        elif not service["spec"].get("loadBalancerClass"):
            await self._ensure(key, service, current)
        return None

    async def _ensure(self, key: Key, service: Object, current: list[Object]) -> None:
        wanted = [_ingress(self._address(service, current), service)]
        if wanted == current:
            return
        self.recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        if wanted[0]["ip"] == "":
            message = "Error syncing load balancer: all 254 addresses of this cluster are in use"
            self.recorder.event(service, "Warning", "SyncLoadBalancerFailed", message)
            return
        await self._set(key, service, wanted)
        self.recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")

    async def _release(self, key: Key, service: Object) -> None:
        self.recorder.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        self._given.pop(objects.uid(service), None)
        await self._set(key, service, [])
        self.recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")

    async def _set(self, key: Key, service: Object, ingress: list[Object]) -> None:
        balancer = {"ingress": ingress} if ingress else {}
        status = {**(service.get("status") or {}), "loadBalancer": balancer}
        written = await self.client.update(
            refs.SERVICES,
            {**service, "status": status},
            subresource="status",
            field_manager=FIELD_MANAGER,
        )
        self.writes.wrote(key, self._services, written)

    def _address(self, service: Object, current: list[Object]) -> str:
        """The address it has, or asks for, or the lowest that is free; "" if none is."""
        if not self.context.options.addresses_per_service:
            return "127.0.0.1"
        prefix = f"127.{self.context.cluster_number}.240."
        taken = self._taken(service)
        asked = [entry.get("ip", "") for entry in current]
        asked += [service["spec"].get("loadBalancerIP") or ""]
        candidates = [*asked, *(f"{prefix}{host}" for host in _HOSTS)]
        free = (ip for ip in candidates if ip.startswith(prefix) and ip not in taken)
        found = next(free, "")
        self._given[objects.uid(service)] = found
        return found

    def _taken(self, besides: Object) -> set[str]:
        """Addresses of other Services: those that the cache shows and those that it will show soon."""
        others = [one for one in self._services.items.values() if one is not besides]
        alive = {objects.uid(one) for one in others}
        self._given = {uid: ip for uid, ip in self._given.items() if uid in alive}
        entries = [
            entry for one in others for entry in objects.dig(one, "status.loadBalancer.ingress", [])
        ]
        return {entry.get("ip", "") for entry in entries} | set(self._given.values())


def _ingress(ip: str, service: Object) -> Object:
    ports = service["spec"].get("ports") or []
    rendered = [{"port": p["port"], "protocol": p.get("protocol", "TCP")} for p in ports]
    return {"ip": ip, "ipMode": "VIP", "ports": rendered}
