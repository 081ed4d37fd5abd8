"""Refuses what this server could store but not honour, with a word on why."""

from __future__ import annotations

from collections.abc import Iterator

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import Cause

_ADMISSION = "admissionregistration.k8s.io"
_POLICIES = frozenset({"validatingadmissionpolicies", "validatingadmissionpolicybindings"})
_CEL = (
    "this API server does not evaluate CEL expressions; use rules, namespaceSelector and "
    "objectSelector instead"
)
_CONVERSION = "this API server converts between versions by name only (strategy None)"
_AGGREGATION = "this API server does not aggregate other API servers"


class Limits:
    """CEL in admission, conversion webhooks, aggregated APIs."""

    def admit(self, attributes: Attributes) -> None:
        """Nothing to fill in."""

    def validate(self, attributes: Attributes) -> None:
        """:raises ApiError: 422 for what would have no effect."""
        call, obj = attributes.call, attributes.object
        if obj is None or call.subresource:
            return
        causes = [
            Cause("FieldValueForbidden", f"Forbidden: {why}", field)
            for field, why in _problems(call.resource, obj)
        ]
        if causes:
            raise status.invalid(call.resource, objects.name(obj), causes)


def _problems(resource: refs.Resource, obj: Object) -> Iterator[tuple[str, str]]:
    if resource.group == _ADMISSION and resource.plural in _POLICIES:
        yield "spec", _CEL
    elif resource.group == _ADMISSION:
        for index, hook in enumerate(obj.get("webhooks") or ()):
            if hook.get("matchConditions"):
                yield f"webhooks[{index}].matchConditions", _CEL
    elif resource.qualified == refs.CRDS.qualified:
        if objects.dig(obj, "spec.conversion.strategy", "None") != "None":
            yield "spec.conversion.strategy", _CONVERSION
    elif resource.plural == "apiservices" and objects.dig(obj, "spec.service"):
        yield "spec.service", _AGGREGATION
