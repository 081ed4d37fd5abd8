"""Which loopback addresses and ports a pod and a service get.

The cluster's number N gives the /16: pods 127.N.0–15.x, applications 127.N.128–143.x, the node itself 127.N.255.x. The
API server hands out ClusterIPs (127.N.200–207.x) and load-balancer addresses (127.N.240.x). Where the system has only
127.0.0.1 (macOS, or ``MESHCOURSE_ADDRESSING=ports``) every container port gets a port of its own instead. Ports that
this user may not bind (below 1024 on most systems) are mapped in either mode. No state of its own on disk: after a
restart the annotations of the pods say what is taken.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.addresses import PodAddresses
from meshcourse.embedded.kube.objects import Object
from meshcourse.errors import MeshcourseError

Mode = Literal["addresses", "ports"]

#: Ports that a pod uses without declaring them, for example ``15001,15020``.
MORE_PORTS = "meshcourse.io/ports"

FIRST_NUMBER, LAST_NUMBER = 64, 126
_PODS = 4096
#: Where ports are allocated from when there is one address; below the systems' ephemeral ranges.
_FIRST_PORT, _LAST_PORT = 20000, 31999
#: Added to a port that may not be bound.
_PRIVILEGED_OFFSET = 10000
_LOWEST = 1
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plan:
    """How this machine and user can address pods.

    :param number: the cluster's number N.
    :param mode: an address per pod, or ports on 127.0.0.1.
    :param first_port: the lowest port this user may bind.
    """

    number: int
    mode: Mode = "addresses"
    first_port: int = 1024

    @property
    def proxy_host(self) -> str:
        """Where kube-proxy's forward proxy listens."""
        return _LOOPBACK if self.mode == "ports" else f"127.{self.number}.255.1"

    def bindable(self, port: int) -> bool:
        return port >= self.first_port


def plan(number: int, env: Mapping[str, str] = os.environ) -> Plan:
    """The plan for this machine.

    :raises MeshcourseError: if MESHCOURSE_ADDRESSING is neither ``addresses`` nor ``ports``.
    """
    wanted = env.get("MESHCOURSE_ADDRESSING", "")
    first = first_unprivileged_port()
    if wanted == "ports" or (not wanted and sys.platform != "linux"):
        return Plan(number, "ports", first)
    if wanted in ("", "addresses"):
        return Plan(number, "addresses", first)
    raise MeshcourseError(
        f"MESHCOURSE_ADDRESSING={wanted} is unknown",
        remedy="unset it, or set it to addresses or ports",
    )


def first_unprivileged_port() -> int:
    """The lowest port that this user may bind on loopback."""
    with socket.socket() as probe:
        try:
            probe.bind((_LOOPBACK, _LOWEST))
            return _LOWEST
        except PermissionError:
            pass
        except OSError:
            return _LOWEST  # in use, so it may be had
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024


def bind_problem(host: str, port: int) -> str:
    """Why nothing can listen there, "" if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "address already in use"
            return (error.strerror or str(error)).lower()
    return ""


class Ports:
    """Hands out ports of 127.0.0.1 that nobody uses."""

    def __init__(self, number: int) -> None:
        # Clusters start searching at different places, so that they rarely meet.
        self._next = _FIRST_PORT + (number - FIRST_NUMBER) * 150
        self._taken: set[int] = set()

    def take(self) -> int:
        """:raises MeshcourseError: if all are in use."""
        for _ in range(_LAST_PORT - _FIRST_PORT + 1):
            port = self._next
            self._next = port + 1 if port < _LAST_PORT else _FIRST_PORT
            if port not in self._taken and not bind_problem(_LOOPBACK, port):
                self._taken.add(port)
                return port
        raise MeshcourseError(
            "no free port is left for pods", remedy="delete some pods, or stop another cluster"
        )

    def keep(self, ports: Iterable[int]) -> None:
        self._taken.update(ports)

    def release(self, ports: Iterable[int]) -> None:
        self._taken.difference_update(ports)


class Allocator:
    """Gives every pod its addresses, once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ports = Ports(plan.number)
        self._pods: dict[str, PodAddresses] = {}
        self._used: set[int] = set()
        self._last = 1

    def allocate(self, pod: Object) -> PodAddresses:
        """The addresses of `pod`: those it has, or new ones.

        :raises MeshcourseError: if none is left.
        """
        uid = objects.uid(pod)
        if uid not in self._pods:
            index = 0 if self.plan.mode == "ports" else self._index()
            self._pods[uid] = self._addresses(index, pod)
        return self._pods[uid]

    def restore(self, pod: Object, found: PodAddresses) -> bool:
        """Take over the addresses that a pod had before a restart; False if they are not ours to give (any more)."""
        index = self._parse(found)
        if index is None or index in self._used:
            return False
        if self.plan.mode == "addresses":
            self._used.add(index)
        self.ports.keep(port for pair in found.ports.values() for port in pair)
        self._pods[objects.uid(pod)] = found
        return True

    def release(self, uid: str) -> None:
        """Give back the addresses of a pod that is gone."""
        found = self._pods.pop(uid, None)
        if found is None:
            return
        index = self._parse(found)
        if index is not None:
            self._used.discard(index)
        self.ports.release(port for pair in found.ports.values() for port in pair)

    def _index(self) -> int:
        """The next free number. Not the lowest: an address just given back may still be in someone's cache."""
        for _ in range(_PODS):
            self._last = self._last + 1 if self._last < _PODS - 2 else 2
            if self._last not in self._used and 0 < self._last % 256 < 255:
                self._used.add(self._last)
                return self._last
        raise MeshcourseError("no pod address is left", remedy="delete some pods")

    def _addresses(self, index: int, pod: Object) -> PodAddresses:
        mapped = dict(self._map(pod))
        if self.plan.mode == "ports":
            return PodAddresses(_LOOPBACK, _LOOPBACK, mapped)
        high, low = divmod(index, 256)
        number = self.plan.number
        return PodAddresses(
            f"127.{number}.{high}.{low}", f"127.{number}.{128 + high}.{low}", mapped
        )

    def _map(self, pod: Object) -> Iterator[tuple[int, tuple[int, int]]]:
        declared = container_ports(pod)
        for port in sorted(declared):
            if self.plan.mode == "ports":
                own = self.ports.take()
                yield port, (own, self.ports.take() if separate_app(pod) else own)
            elif not self.plan.bindable(port):
                own = port + _PRIVILEGED_OFFSET
                while own in declared:
                    own += 1
                yield port, (own, own)

    def _parse(self, found: PodAddresses) -> int | None:
        if self.plan.mode == "ports":
            return 0 if found.pod_ip == _LOOPBACK else None
        parts = found.pod_ip.split(".")
        if parts[:2] != ["127", str(self.plan.number)]:
            return None
        return int(parts[2]) * 256 + int(parts[3])


def containers(pod: Object) -> Iterator[Object]:
    """All containers of a pod's spec, init containers first."""
    spec = pod.get("spec") or {}
    yield from spec.get("initContainers") or []
    yield from spec.get("containers") or []


def container_ports(pod: Object) -> set[int]:
    """Every port that the pod's containers declare or are probed at, or that the pod asks for by annotation."""
    text = objects.annotations_of(pod).get(MORE_PORTS, "")
    found = {int(word) for word in text.split(",") if word.strip().isdigit()}
    for container in containers(pod):
        found.update(int(port["containerPort"]) for port in container.get("ports") or [])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            found.update(_probe_ports(container.get(probe) or {}))
    return found


def separate_app(pod: Object) -> bool:
    """Whether some container asks to listen at the application's address, behind another that has the pod's."""
    return any(listens_at_app(container) for container in containers(pod))


def listens_at_app(container: Object) -> bool:
    """Whether a container's own environment puts its listen address at the application's."""
    env = container.get("env") or []
    values = [e.get("value", "") for e in env if e.get("name") == "MESHCOURSE_LISTEN_HOST"]
    return bool(values) and "MESHCOURSE_APP_IP" in values[-1]


def _probe_ports(probe: Object) -> Iterator[int]:
    for kind in ("httpGet", "tcpSocket", "grpc"):
        port = (probe.get(kind) or {}).get("port")
        if isinstance(port, int):
            yield port
