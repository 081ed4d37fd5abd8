"""Where the ingress gateways expose a service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshcourse.embedded.istioctl.commands.experimental.describe import workload
from meshcourse.embedded.kube import addresses, objects
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Ingress:
    """A Service before gateway pods."""

    service: Object
    pods: list[Object]

    def serves(self, gateway: Object) -> bool:
        """Whether a Gateway is for these pods; one without a selector is for all."""
        wanted = objects.dig(gateway, "spec.selector", {})
        return any(wanted.items() <= objects.labels(pod).items() for pod in self.pods)

    @property
    def address(self) -> str:
        found = objects.dig(self.service, "status.loadBalancer.ingress", [])
        return str(
            (found[0].get("ip") if found else "")
            or objects.dig(self.pods[0], "status.hostIP", "")
            or "unknown"
        )

    def lines(self) -> Iterator[str]:
        """One for each plain HTTP port."""
        for port in objects.dig(self.service, "spec.ports", []):
            http = port.get("name") in ("http", "http2") and port.get("protocol", "TCP") == "TCP"
            if http and workload.target_port(self.pods[0], port) is not None:
                number = self._real(port["port"])
                suffix = "" if number == 80 else f":{number}"
                yield f"Exposed on Ingress Gateway http://{self.address}{suffix}"

    def _real(self, port: int) -> int:
        """The port to type; another than the Service's where this user may not listen there."""
        try:
            return addresses.service_endpoint(self.service, port)[1]
        except LookupError:
            return port


def find(services: Sequence[Object], pods: Sequence[Object]) -> list[Ingress]:
    """The Services that select gateway pods of their namespace."""
    found = []
    for service in services:
        selector = objects.dig(service, "spec.selector", {})
        near = [
            pod
            for pod in pods
            if objects.namespace(pod) == objects.namespace(service)
            and selector
            and selector.items() <= objects.labels(pod).items()
        ]
        if near:
            found.append(Ingress(service, near))
    return found
