"""What was made of Gateway API and Ingress objects: Istio's own kinds, and reports for their
authors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from meshcourse.embedded.istio.model.config import Config
from meshcourse.embedded.istio.model.resources import Json
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key


class Source(NamedTuple):
    """An object that a report is about."""

    resource: refs.Resource
    key: Key


@dataclass(frozen=True, slots=True)
class Deployed:
    """A gateway that the Gateway API asks istiod to run.

    :param gateway: the Gateway it belongs to (`uid` owns everything that is made for it).
    :param name: of its Deployment and Service.
    :param ports: ``(name, port, appProtocol)`` of the Service, without the status port.
    :param labels: to be put on everything; :param annotations: likewise.
    :param address: the load balancer's address that was asked for, "" for any.
    """

    gateway: Key
    uid: str
    gateway_class: str
    name: str
    service_account: str
    ports: tuple[tuple[str, int, str], ...]
    service_type: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    address: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """The result of a conversion.

    :param gateways: Gateways of Istio's API; :param rules: VirtualServices, both oldest first.
    :param statuses: what ``status`` ought to say, without times (see `gateway_api.status.merge`).
    """

    gateways: tuple[Config, ...] = ()
    rules: tuple[Config, ...] = ()
    statuses: Mapping[Source, Json] = field(default_factory=dict)
    deployed: tuple[Deployed, ...] = ()
