"""Gateways: their listeners converted, their status, and what istiod has to run for them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio.gateway_api import classes, conditions, instances, listeners
from meshcourse.embedded.istio.gateway_api.conditions import Problem
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.gateway_api.grants import Grants
from meshcourse.embedded.istio.gateway_api.instances import Instances
from meshcourse.embedded.istio.gateway_api.listeners import Listener
from meshcourse.embedded.istio.model import Config, Json
from meshcourse.embedded.istio.model.converted import Deployed
from meshcourse.embedded.kube.objects import Key

_NAME_OVERRIDE: Final = "gateway.istio.io/name-override"
_ACCOUNT: Final = "gateway.istio.io/service-account"
_SERVICE_TYPE: Final = "networking.istio.io/service-type"
_ADDRESS_TYPE: Final = "networking.istio.io/address-type"
_PREFIX: Final = "gateway.networking.k8s.io/"


@dataclass(frozen=True, slots=True, eq=False)
class Gateway:
    """One converted Gateway.

    :param status: without ``attachedRoutes``.
    :param deployed: None if the user runs its proxies.
    """

    config: Config
    listeners: tuple[Listener, ...]
    status: Json
    deployed: Deployed | None


def build(gateway: Config, context: Context, grants: Grants) -> Gateway | None:
    """One Gateway; None if its class is not ours."""
    controller = classes.controller(gateway, context)
    if not controller:
        return None
    if controller == classes.UNMANAGED:
        return Gateway(gateway, (), _remote_status(gateway), None)
    services, problem = _services(gateway, context)
    found: tuple[Listener, ...] = ()
    if services or problem is None:
        found = tuple(_listeners(gateway, services, context, grants))
    status = _status(gateway, services, found, problem, context)
    return Gateway(gateway, found, status, _deployed(gateway) if managed(gateway) else None)


def _listeners(
    gateway: Config, services: Sequence[str], context: Context, grants: Grants
) -> Iterator[Listener]:
    annotations = {
        "internal.istio.io/gateway-service": ",".join(services),
        "internal.istio.io/service-account-name": account(gateway) if managed(gateway) else "",
    }
    for listener in gateway.spec.get("listeners") or []:
        yield listeners.build(gateway, listener, annotations, context, grants)


def managed(gateway: Config) -> bool:
    """Whether istiod runs the proxies: no address, or an IP address, was asked for."""
    found = gateway.spec.get("addresses") or []
    if len(found) == 1:
        return (found[0].get("type") or "IPAddress") == "IPAddress"
    return not found


def _default_name(gateway: Config) -> str:
    return f"{gateway.name}-{gateway.spec.get('gatewayClassName')}"


def service_name(gateway: Config) -> str:
    """The Deployment and Service of a managed Gateway."""
    return gateway.annotations.get(_NAME_OVERRIDE) or _default_name(gateway)


def account(gateway: Config) -> str:
    """The service account of a managed Gateway."""
    return gateway.annotations.get(_ACCOUNT) or _default_name(gateway)


def _services(gateway: Config, context: Context) -> tuple[list[str], Problem | None]:
    """Host names of the Services that make the Gateway reachable."""
    if managed(gateway):
        return [context.host(Key(gateway.namespace, service_name(gateway)))], None
    found: list[str] = []
    skipped: list[str] = []
    for address in gateway.spec.get("addresses") or []:
        value = str(address.get("value") or "")
        if (address.get("type") or "Hostname") != "Hostname":
            skipped.append(value)
        else:
            full = value if "." in value else context.host(Key(gateway.namespace, value))
            found.append(full)
    if skipped:
        message = f"only Hostname is supported, ignoring [{' '.join(skipped)}]"
        return found, Problem(conditions.INVALID_ADDRESS, message)
    return found, None


def _remote_status(gateway: Config) -> Json:
    text = "This Gateway is remote; Istio will not program it"
    found = [
        conditions.condition(conditions.ACCEPTED, conditions.ACCEPTED, "Resource accepted"),
        conditions.condition(conditions.PROGRAMMED, conditions.PROGRAMMED, text),
    ]
    return {
        "addresses": list(gateway.spec.get("addresses") or []),
        "conditions": conditions.listed(found, gateway.generation),
    }


def _status(
    gateway: Config,
    services: Sequence[str],
    found: Sequence[Listener],
    problem: Problem | None,
    context: Context,
) -> Json:
    ports = [one.server["port"]["number"] for one in found]
    reached = instances.resolve(context, gateway.namespace, services, ports)
    both = [
        conditions.condition(
            conditions.ACCEPTED, conditions.ACCEPTED, "Resource accepted", problem
        ),
        _programmed(services, reached),
    ]
    status: Json = {
        "conditions": conditions.listed(both, gateway.generation),
        "listeners": [one.report for one in found],
    }
    if addresses := _addresses(gateway, reached):
        status["addresses"] = [{"type": _type(one), "value": one} for one in addresses]
    return status


def _programmed(services: Sequence[str], reached: Instances) -> Json:
    message, problem = "Resource programmed", None
    internal = sorted(reached.internal)
    if internal:
        message += f", assigned to service(s) {_listed(internal)}"
    warnings = "; ".join(reached.warnings)
    reason = "AddressNotAssigned" if reached.usable else "AddressNotUsable"
    if not services:
        text = "Failed to assign to any requested addresses"
        problem = Problem(conditions.INVALID_ADDRESS, text)
    elif warnings and internal:
        text = "failed to assign to all requested addresses"
        problem = Problem(
            reason, f"Assigned to service(s) {_listed(internal)}, but {text}: {warnings}"
        )
    elif warnings:
        problem = Problem(reason, f"Failed to assign to any requested addresses: {warnings}")
    return conditions.condition(conditions.PROGRAMMED, conditions.PROGRAMMED, message, problem)


def _listed(names: Sequence[str]) -> str:
    """English: ``a``, ``a and b``, ``a, b, and c``."""
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"


def _addresses(gateway: Config, reached: Instances) -> list[str]:
    """What to report: load balancers' addresses, else names inside the cluster."""
    if reached.external:
        return sorted(reached.external)
    wanted = gateway.annotations.get(_ADDRESS_TYPE, "Hostname")
    found = sorted(reached.internal_ips) if wanted != "Hostname" else []
    if wanted != "IPAddress":
        names = (one.rpartition(":")[0] for one in sorted(reached.internal))
        found += dict.fromkeys(one for one in names if one not in reached.pending)
    return found


def _type(address: str) -> str:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return "Hostname"
    return "IPAddress"


def _deployed(gateway: Config) -> Deployed:
    infrastructure = gateway.spec.get("infrastructure") or {}
    addresses = gateway.spec.get("addresses") or [{}]
    return Deployed(
        gateway=Key(gateway.namespace, gateway.name),
        uid=gateway.uid,
        gateway_class=str(gateway.spec.get("gatewayClassName")),
        name=service_name(gateway),
        service_account=account(gateway),
        ports=tuple(_ports(gateway.spec.get("listeners") or [])),
        service_type=gateway.annotations.get(_SERVICE_TYPE) or "LoadBalancer",
        labels=_own(infrastructure.get("labels"), gateway.labels),
        annotations=_own(infrastructure.get("annotations"), gateway.annotations),
        address=str(addresses[0].get("value") or ""),
    )


def _own(asked: Mapping[str, str] | None, default: Mapping[str, str]) -> dict[str, str]:
    """``infrastructure`` if it is set, else what the Gateway itself carries."""
    if asked is None:
        return dict(default)
    return {key: value for key, value in asked.items() if not key.startswith(_PREFIX)}


def _ports(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int, str]]:
    """The Service's ports; of listeners on one port the first names it."""
    seen: set[int] = set()
    for number, listener in enumerate(found):
        port, protocol = int(listener.get("port") or 0), str(listener.get("protocol")).lower()
        if port not in seen:
            seen.add(port)
            name = str(listener.get("name") or f"{protocol}-{number}")
            yield name.replace(".", "-")[:63], port, protocol
