"""Distributing endpoints over EndpointSlices with as few writes as possible. Pure.

Source: Kubernetes documentation of EndpointSlices ("Distribution of EndpointSlices"): at most 100 endpoints each,
existing slices are changed before new ones are made, endpoints stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from meshcourse.embedded.controllers.endpoint_plan import Port, Ports
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

MAX_ENDPOINTS = 100
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"


@dataclass(slots=True)
class Plan:
    """What to write. `update` holds whole objects, with the resourceVersion they were computed from."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def plan(
    owner: Object, labels: dict[str, str], groups: dict[Ports, list[Object]], existing: list[Object]
) -> Plan:
    """The writes after which the slices of `owner` hold exactly `groups`.

    :param labels: labels that every slice should carry.
    :param existing: the slices there are.
    """
    made = Plan()
    unused = list(existing)
    for ports, wanted in (groups or {(): []}).items():
        mine = [one for one in unused if _ports(one) == ports]
        unused = [one for one in unused if one not in mine]
        _fill(made, owner, labels, ports, wanted, mine, unused)
    made.delete.extend(unused)
    return made


def _fill(
    made: Plan,
    owner: Object,
    labels: dict[str, str],
    ports: Ports,
    wanted: list[Object],
    mine: list[Object],
    unused: list[Object],
) -> None:
    """One group of ports: keep, then fill up, then reuse what nobody needs, then create."""
    contents = _keep(wanted, mine)
    placed = {_identity(endpoint) for content in contents for endpoint in content}
    rest = [endpoint for endpoint in wanted if _identity(endpoint) not in placed]
    for content in contents:
        space = MAX_ENDPOINTS - len(content)
        content.extend(rest[:space])
        rest = rest[space:]
    for one, content in zip(mine, contents, strict=True):
        if content or not wanted:
            _change(made, one, labels, ports, content)
        else:
            made.delete.append(one)
    while rest or (not mine and not wanted):
        chunk, rest = rest[:MAX_ENDPOINTS], rest[MAX_ENDPOINTS:]
        if unused:
            _change(made, unused.pop(0), labels, ports, chunk)
        else:
            made.create.append(build(owner, labels, ports, chunk))
        if not rest:
            return


def _keep(wanted: list[Object], mine: list[Object]) -> list[list[Object]]:
    """What stays in each slice, in its newest form."""
    fresh = {_identity(endpoint): endpoint for endpoint in wanted}
    contents = []
    for one in mine:
        stay = [_identity(e) for e in one.get("endpoints") or [] if _identity(e) in fresh]
        contents.append([fresh.pop(identity) for identity in stay if identity in fresh])
    return contents


def _change(
    made: Plan, one: Object, labels: dict[str, str], ports: Ports, content: list[Object]
) -> None:
    rendered = [port.render() for port in ports]
    same = (one.get("endpoints") or []) == content and _ports(one) == ports
    if same and objects.labels(one) == labels:
        return
    meta = {**one["metadata"], "labels": labels}
    made.update.append({**one, "metadata": meta, "endpoints": content, "ports": rendered})


def build(owner: Object, labels: dict[str, str], ports: Ports, content: list[Object]) -> Object:
    """A new slice, owned by the Service (or legacy Endpoints) `owner`."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{objects.name(owner)}-",
            "namespace": objects.namespace(owner),
            "labels": labels,
            "ownerReferences": [objects.owner_reference(owner)],
        },
        "addressType": "IPv4",
        "endpoints": content,
        "ports": [port.render() for port in ports],
    }


def labels_for(service: Object, manager: str = CONTROLLER) -> dict[str, str]:
    """The Service's labels and those by which slices are found."""
    found = {**objects.labels(service), SERVICE_NAME: objects.name(service), MANAGED_BY: manager}
    if objects.dig(service, "spec.clusterIP") == "None":
        found[HEADLESS] = ""
    return found


def _ports(one: Object) -> Ports:
    return tuple(
        Port(
            p.get("name") or "",
            p.get("port") or 0,
            p.get("protocol", "TCP"),
            p.get("appProtocol") or "",
        )
        for p in one.get("ports") or []
    )


def _identity(endpoint: Object) -> Any:
    """Pods by uid, anything else by its addresses."""
    ref = endpoint.get("targetRef") or {}
    return ref.get("uid") or tuple(endpoint["addresses"])
