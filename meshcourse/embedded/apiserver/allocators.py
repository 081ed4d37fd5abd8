"""Cluster IPs and node ports of Services, given out when a Service is created.

Source: the API server's service IP and node port allocators (``pkg/registry/core/service``). The cluster number N
gives the range 127.N.200.0-127.N.207.255; node ports are 30000-32767, at random.
"""

from __future__ import annotations

import ipaddress
import random

from meshcourse.embedded.apiserver.store.events import Event
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import Cause

_NODE_PORTS = range(30000, 32768)
_NODE_PORT_TYPES = frozenset({"NodePort", "LoadBalancer"})


class ServiceAllocator:
    """Keeps what is in use. `allocate` before storing; `release` what was not stored after all."""

    def __init__(self, cluster_number: int, store: Store) -> None:
        base = ipaddress.IPv4Address(f"127.{cluster_number}.200.0")
        #: The range of cluster IPs; the first address is the API server's own.
        self.network = ipaddress.IPv4Network((base, 21))
        self._taken_ips: set[str] = set()
        self._taken_ports: set[int] = set()
        for service in store.list(refs.SERVICES.qualified):
            self._take(service)
        store.listen(refs.SERVICES.qualified, self._on_service)

    @property
    def api_server_ip(self) -> str:
        """The cluster IP of the Service ``kubernetes``."""
        return str(self.network[1])

    def _on_service(self, event: Event) -> None:
        if event.old:
            self.release(event.old)
        if event.type != "DELETED":
            self._take(event.object)

    def _take(self, service: Object) -> None:
        self._taken_ips |= _ips(service)
        self._taken_ports |= _ports(service)

    def release(self, service: Object, but: Object | None = None) -> None:
        """Give back what `service` holds, except what `but` holds too."""
        self._taken_ips -= _ips(service) - (_ips(but) if but else set())
        self._taken_ports -= _ports(service) - (_ports(but) if but else set())

    def allocate(self, service: Object, old: Object | None) -> None:
        """Fill in cluster IP and node ports, in place.

        :raises ApiError: 422 if an address or port asked for is taken or out of range; nothing is taken then.
        """
        before = set(self._taken_ips), set(self._taken_ports)
        try:
            self._allocate(service, old)
        except BaseException:
            self._taken_ips, self._taken_ports = before
            raise

    def _allocate(self, service: Object, old: Object | None) -> None:
        spec = service["spec"]
        kept = {**old["spec"]} if old else {}
        self._allocate_ip(service, spec, _ips(old) if old else set())
        if spec.get("type") in _NODE_PORT_TYPES and spec.get("allocateLoadBalancerNodePorts", True):
            self._allocate_ports(service, spec, _ports(old) if old else set(), kept)

    def _allocate_ip(self, service: Object, spec: Object, own: set[str]) -> None:
        if spec.get("type") == "ExternalName":
            return
        wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
        if wanted == "None" or wanted in own:
            spec.setdefault("clusterIPs", [wanted])
            return
        address = self._check_ip(service, wanted) if wanted else self._free_ip()
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
        self._taken_ips.add(address)

    def _check_ip(self, service: Object, wanted: str) -> str:
        why = ""
        if wanted in self._taken_ips:
            why = "provided IP is already allocated"
        elif ipaddress.IPv4Address(wanted) not in self.network:
            why = (
                "the provided IP is not in the valid range. The range of valid IPs is "
                f"{self.network}"
            )
        if why:
            text = f'Invalid value: ["{wanted}"]: failed to allocate IP {wanted}: {why}'
            raise _invalid(service, Cause("FieldValueInvalid", text, "spec.clusterIPs"))
        return wanted

    def _free_ip(self) -> str:
        # The first addresses are left for those who ask for a particular one, as in Kubernetes.
        hosts = range(10, self.network.num_addresses - 1)
        for _ in range(64):
            address = str(self.network[random.choice(hosts)])
            if address not in self._taken_ips:
                return address
        for offset in hosts:
            if str(self.network[offset]) not in self._taken_ips:
                return str(self.network[offset])
        raise status.internal("failed to allocate a serviceIP: range is full")

    def _allocate_ports(self, service: Object, spec: Object, own: set[int], kept: Object) -> None:
        previous = {_port_key(port): port.get("nodePort") for port in kept.get("ports") or ()}
        for index, port in enumerate(spec.get("ports") or ()):
            wanted = port.get("nodePort") or previous.get(_port_key(port))
            if not wanted:
                wanted = self._free_port()
            elif wanted not in own:
                self._check_port(service, index, wanted)
            port["nodePort"] = wanted
            self._taken_ports.add(wanted)

    def _check_port(self, service: Object, index: int, wanted: int) -> None:
        why = ""
        if wanted not in _NODE_PORTS:
            why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
        elif wanted in self._taken_ports:
            why = "provided port is already allocated"
        if why:
            field = f"spec.ports[{index}].nodePort"
            raise _invalid(
                service, Cause("FieldValueInvalid", f"Invalid value: {wanted}: {why}", field)
            )

    def _free_port(self) -> int:
        free = [port for port in _NODE_PORTS if port not in self._taken_ports]
        if not free:
            raise status.internal("failed to allocate a nodePort: range is full")
        return random.choice(free)


def _ips(service: Object) -> set[str]:
    spec = service["spec"]
    found = {spec.get("clusterIP") or "", *(spec.get("clusterIPs") or ())}
    return found - {"", "None"}


def _ports(service: Object) -> set[int]:
    return {port["nodePort"] for port in service["spec"].get("ports") or () if "nodePort" in port}


def _port_key(port: Object) -> tuple[str, int]:
    return port.get("protocol", "TCP"), port.get("port", 0)


def _invalid(service: Object, cause: Cause) -> status.ApiError:
    return status.invalid(refs.SERVICES, objects.name(service), [cause])
