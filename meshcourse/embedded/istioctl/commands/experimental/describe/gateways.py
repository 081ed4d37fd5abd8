"""What ingress gateways do with a service: addresses, and the rules of their VirtualServices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl.commands.experimental.describe import (
    asking,
    ingress,
    lookups,
    rules,
)
from meshcourse.embedded.istioctl.commands.experimental.describe.ingress import Ingress
from meshcourse.embedded.istioctl.commands.experimental.describe.rules import Subsets
from meshcourse.embedded.istioctl.context import Context
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object

LINE: Final = "-" * 20


@dataclass(frozen=True, slots=True)
class _Place:
    """A port of a service, as one gateway's proxy sees it.

    :param labels: of the pods that are described.
    :param home: the namespace that need not be said.
    """

    client: Client
    config: dict[str, Any]
    service: Object
    port: int
    labels: Sequence[Any]
    home: str

    async def subsets(self) -> Subsets:
        key = lookups.destination_rule(self.config, self.service, self.port)
        rule = await asking.maybe(self.client, refs.DESTINATIONRULES, key)
        return rules.subsets(rule, self.labels, self.home) if rule else Subsets()


async def lines(
    ctx: Context, client: Client, services: Sequence[Object], labels: Sequence[Any]
) -> list[str]:
    """For every Gateway by which one of the services is exposed."""
    listed = await client.list(
        refs.PODS, label_selector="istio=ingressgateway", field_selector="status.phase=Running"
    )
    if not listed.items:
        return ["Skipping Gateway information (no ingress gateway pods)"]
    homes = sorted({objects.namespace(pod) for pod in listed.items})
    doors = [one for home in homes for one in (await client.list(refs.SERVICES, home)).items]
    found = ingress.find(doors, listed.items)
    said = [] if found else ["Skipping Gateway information (no ingress gateway service)"]
    seen: set[Key] = set()
    for pod in listed.items:
        config = await asking.config(ctx, objects.key(pod))
        for service in services:
            for port in objects.dig(service, "spec.ports", []):
                home = ctx.namespace_or_default
                place = _Place(client, config, service, port["port"], labels, home)
                said += await _exposed(place, found, seen)
    return said


async def _exposed(place: _Place, ingresses: Sequence[Ingress], seen: set[Key]) -> list[str]:
    key = lookups.virtual_service(place.config, place.service, place.port)
    found = await asking.maybe(place.client, refs.VIRTUALSERVICES, key)
    said: list[str] = []
    for name in _gateways(found) if found else ():
        gateway = None if name in seen else await asking.maybe(place.client, refs.GATEWAYS, name)
        if gateway is None:
            gone = f"{name.namespace}/{name.name}"
            said += [] if name in seen else [asking.STALE.format("gateway", gone)]
            continue
        seen.add(name)
        near = sorted((i for i in ingresses if i.serves(gateway)), key=lambda i: i.address)
        if near and found:
            known = await place.subsets()
            said += [LINE, *(line for one in near for line in one.lines())]
            said += rules.virtual_service(found, place.service, known, place.home)
    return said


def _gateways(service: Object) -> Iterator[Key]:
    """The Gateways that a VirtualService names."""
    for reference in objects.dig(service, "spec.gateways", []):
        where, slash, last = str(reference).rpartition("/")
        if last != "mesh":
            yield Key(where if slash else objects.namespace(service), last)
