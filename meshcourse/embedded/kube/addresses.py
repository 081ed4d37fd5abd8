"""Where pods and services really listen, for every room that needs to connect to them.

The kubelet writes the annotation; nobody else reads it by hand. Where the system gives every pod a loopback address
(Linux) ports are the container's own; elsewhere everything is 127.0.0.1 and the annotation maps each port.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

ANNOTATION = "meshcourse.io/addresses"


@dataclass(frozen=True, slots=True)
class PodAddresses:
    """The two addresses of a pod and, where ports are allocated, ``{port: (pod port, app port)}``."""

    pod_ip: str
    app_ip: str
    ports: dict[int, tuple[int, int]] = field(default_factory=dict)

    def pod(self, port: int) -> tuple[str, int]:
        """Host and port at which others reach the pod's `port`."""
        return self.pod_ip, self.ports.get(port, (port, port))[0]

    def app(self, port: int) -> tuple[str, int]:
        """Host and port at which the application of an injected pod listens for `port`."""
        return self.app_ip, self.ports.get(port, (port, port))[1]

    def render(self) -> str:
        """The annotation's value."""
        ports = {str(port): list(pair) for port, pair in self.ports.items()}
        return json.dumps({"podIP": self.pod_ip, "appIP": self.app_ip, "ports": ports})


def of_pod(pod: Object) -> PodAddresses | None:
    """The addresses of a pod; None until the kubelet has allocated them."""
    text = objects.annotations_of(pod).get(ANNOTATION)
    if not text:
        return None
    data = json.loads(text)
    ports = {int(port): (pair[0], pair[1]) for port, pair in data["ports"].items()}
    return PodAddresses(data["podIP"], data["appIP"], ports)


def _required(pod: Object) -> PodAddresses:
    found = of_pod(pod)
    if found is None:
        raise LookupError(f"pod {objects.name(pod)} has no addresses yet")
    return found


def pod_endpoint(pod: Object, port: int) -> tuple[str, int]:
    """Host and port at which others reach the pod's `port`.

    :raises LookupError: before the kubelet has allocated the pod's addresses.
    """
    return _required(pod).pod(port)


def app_endpoint(pod: Object, port: int) -> tuple[str, int]:
    """Host and port at which the application of an injected pod listens for `port`.

    :raises LookupError: before the kubelet has allocated the pod's addresses.
    """
    return _required(pod).app(port)


def service_endpoint(service: Object, port: int) -> tuple[str, int]:
    """Host and port at which kube-proxy serves a Service's `port` on this machine.

    :raises LookupError: if the Service has no cluster IP.
    """
    host = objects.dig(service, "spec.clusterIP", "")
    if host in ("", "None"):
        raise LookupError(f"service {objects.name(service)} has no cluster IP")
    text = objects.annotations_of(service).get(ANNOTATION)
    if text:
        data = json.loads(text)
        return data["clusterIP"], int(data["ports"].get(str(port), port))
    return host, port
