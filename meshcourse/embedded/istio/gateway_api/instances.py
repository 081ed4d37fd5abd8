"""At which addresses a Gateway can be reached: its Services and their endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.model import Endpoint, Service, ServiceKey

_MANAGED = "gateway.istio.io/managed"

_ByPort = Mapping[int, Sequence[Endpoint]]


@dataclass(slots=True)
class Instances:
    """What was found.

    :param internal: ``host:port``; :param internal_ips: cluster IPs.
    :param external: addresses of load balancers; :param pending: hosts that wait for one.
    :param warnings: why something could not be found, for the user.
    :param usable: False if an address cannot be used as it is written.
    """

    internal: set[str] = field(default_factory=set)
    internal_ips: set[str] = field(default_factory=set)
    external: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    usable: bool = True


def resolve(
    context: Context, namespace: str, hosts: Iterable[str], ports: Iterable[int]
) -> Instances:
    """The instances of a Gateway's services for the ports of its listeners."""
    found = Instances()
    wanted = sorted(set(ports))
    for host in hosts:
        service = context.services.get(ServiceKey(namespace, host))
        if service is None:
            found.warnings.append(_missing(context, host, namespace))
            found.usable = False
            continue
        by_port = context.endpoints.get(ServiceKey(namespace, host), {})
        for port in wanted:
            if by_port.get(port):
                _add(found, service, port)
            else:
                _explain(found, service, by_port, port)
    found.warnings.sort()
    return found


def _missing(context: Context, host: str, namespace: str) -> str:
    elsewhere = sorted(f'"{key.namespace}"' for key in context.services if key.hostname == host)
    if not elsewhere:
        return f'hostname "{host}" not found'
    places = ", ".join(elsewhere)
    return (
        f'hostname "{host}" not found in namespace "{namespace}", '
        f"but it was found in namespace(s) {places}"
    )


def _add(found: Instances, service: Service, port: int) -> None:
    found.internal.add(f"{service.hostname}:{port}")
    found.internal_ips.update(service.addresses)
    if service.external_addresses:
        found.external.update(service.external_addresses)
    elif service.service_type == "LoadBalancer" and service.hostname not in found.pending:
        found.warnings.append(f'address pending for hostname "{service.hostname}"')
        found.pending.add(service.hostname)


def _explain(found: Instances, service: Service, by_port: _ByPort, port: int) -> None:
    """Why a service has nothing on a port."""
    host = service.hostname
    if not any(by_port.values()):
        found.warnings.append(f'no instances found for hostname "{host}"')
        return
    meant = sorted(
        str(number) for number, all_ in by_port.items() if any(one.port == port for one in all_)
    )
    text = f'port {port} not found for hostname "{host}"'
    if meant:
        text += (
            " (hint: the service port should be specified, not the workload port. "
            f"Did you mean one of these ports: [{' '.join(meant)}]?)"
        )
    elif _MANAGED in service.labels and service.port(port) is not None:
        return  # its endpoints are on their way
    found.warnings.append(text)
    found.usable = False
