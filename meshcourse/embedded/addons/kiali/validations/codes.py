"""The codes, what they say, and a finding. Pure.

Source: Kiali's validation reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

ERROR, WARNING, UNKNOWN = "error", "warning", "unknown"

#: Code → severity and message.
CODES: Final[dict[str, tuple[str, str]]] = {
    "KIA0002": (ERROR, "More than one selector-less object in the same namespace"),
    "KIA0003": (ERROR, "More than one object applied to the same workload"),
    "KIA0004": (WARNING, "No matching workload found for the selector in this namespace"),
    "KIA0101": (WARNING, "Namespace not found for this rule"),
    "KIA0102": (WARNING, "Only HTTP methods and Istio wildcards are allowed"),
    "KIA0104": (ERROR, "This host has no matching entry in the service registry"),
    "KIA0105": (ERROR, "This field requires mTLS to be enabled"),
    "KIA0106": (ERROR, "Service Account not found for this principal"),
    "KIA0108": (WARNING, "Unable to verify principal, trust domain is not known to Kiali"),
    "KIA0201": (WARNING, "More than one DestinationRules for the same host subset combination"),
    "KIA0202": (
        ERROR,
        "This host has no matching entry in the service registry (service, workload or service entries)",
    ),
    "KIA0203": (ERROR, "This subset's labels are not found in any matching host"),
    "KIA0204": (WARNING, "mTLS settings of a non-local Destination Rule are overridden"),
    "KIA0205": (ERROR, "PeerAuthentication enabling mTLS at mesh level is missing"),
    "KIA0206": (ERROR, "PeerAuthentication enabling namespace-wide mTLS is missing"),
    "KIA0207": (ERROR, "PeerAuthentication with TLS strict mode found, it should be permissive"),
    "KIA0208": (ERROR, "PeerAuthentication enabling mTLS found, permissive mode needed"),
    "KIA0209": (WARNING, "This subset has not labels"),
    "KIA0301": (WARNING, "More than one Gateway for the same host port combination"),
    "KIA0302": (WARNING, "No matching workload found for gateway selector in this namespace"),
    "KIA0401": (ERROR, "Mesh-wide Destination Rule enabling mTLS is missing"),
    "KIA0501": (ERROR, "Destination Rule enabling namespace-wide mTLS is missing"),
    "KIA0505": (ERROR, "Destination Rule disabling namespace-wide mTLS is missing"),
    "KIA0506": (ERROR, "Destination Rule disabling mesh-wide mTLS is missing"),
    "KIA0601": (ERROR, "Port name must follow <protocol>[-suffix] form"),
    "KIA0602": (ERROR, "Port appProtocol must follow <protocol> form"),
    "KIA0701": (WARNING, "Deployment exposing same port as Service not found"),
    "KIA1101": (ERROR, "DestinationWeight on route doesn't have a valid service (host not found)"),
    "KIA1102": (ERROR, "VirtualService is pointing to a non-existent gateway"),
    "KIA1104": (
        WARNING,
        "The weight is assumed to be 100 because there is only one route destination",
    ),
    "KIA1105": (
        WARNING,
        "This host subset combination is already referenced in another route destination",
    ),
    "KIA1106": (WARNING, "More than one Virtual Service for same host"),
    "KIA1107": (WARNING, "Subset not found"),
    "KIA1108": (UNKNOWN, "Preferred nomenclature: <gateway namespace>/<gateway name>"),
}


class Key(NamedTuple):
    """An object."""

    resource: Resource
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that did not pass.

    :param path: where in the object, e.g. ``spec/http[0]/route[0]/weight``.
    :param valid: whether the object still works as written.
    :param references: other objects that take part.
    """

    key: Key
    code: str
    path: str
    severity: str
    valid: bool
    references: tuple[Key, ...] = ()

    @property
    def message(self) -> str:
        return CODES[self.code][1]

    def softened(self, severity: str) -> Finding:
        """The same, less severe, and without invalidating the object."""
        return replace(self, severity=severity, valid=True)


def key_of(resource: Resource, obj: Object) -> Key:
    return Key(resource, objects.namespace(obj), objects.name(obj))


def found(key: Key, code: str, path: str, *references: Key) -> Finding:
    """A finding with the severity of its code; errors make the object invalid."""
    severity = CODES[code][0]
    return Finding(key, code, path, severity, severity != ERROR, references)
