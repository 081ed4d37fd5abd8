"""Refuses what would need CEL, instead of storing it without effect."""

from __future__ import annotations

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.status import Cause

_GROUP = "admissionregistration.k8s.io"
_POLICIES = frozenset({"validatingadmissionpolicies", "validatingadmissionpolicybindings"})
_WHY = (
    "this API server cannot evaluate CEL expressions; use rules, namespaceSelector and "
    "objectSelector, or a cluster of another kind"
)


class Expressions:
    """``matchConditions`` of webhooks and ValidatingAdmissionPolicies are expressions in CEL."""

    def admit(self, attributes: Attributes) -> None:
        """Looks at what webhooks and plugins have not changed: nothing to do before validation."""

    def validate(self, attributes: Attributes) -> None:
        """:raises ApiError: 422 for a configuration that this server could not honour."""
        call, obj = attributes.call, attributes.object
        if call.resource.group != _GROUP or obj is None:
            return
        fields = []
        if call.resource.plural in _POLICIES:
            fields = ["spec"]
        for index, hook in enumerate(obj.get("webhooks") or ()):
            if hook.get("matchConditions"):
                fields.append(f"webhooks[{index}].matchConditions")
        if fields:
            causes = [Cause("FieldValueForbidden", f"Forbidden: {_WHY}", field) for field in fields]
            raise status.invalid(call.resource, objects.name(obj), causes)
