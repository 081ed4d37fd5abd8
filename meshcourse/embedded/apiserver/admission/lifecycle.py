"""Objects need a namespace that exists and is not going away; three namespaces cannot be deleted.

Source: the NamespaceLifecycle plugin of the API server.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import objects, refs, status

_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


class NamespaceLifecycle:
    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, attributes: Attributes) -> None:
        """Refuse what cannot live in its namespace."""
        call = attributes.call
        if attributes.operation == "DELETE":
            self._check_deletion(attributes)
        if attributes.operation != "CREATE" or not call.resource.namespaced:
            return
        namespace = self._store.get(refs.NAMESPACES.qualified, "", attributes.namespace)
        if namespace is None:
            raise status.not_found(refs.NAMESPACES, attributes.namespace)
        if objects.deleting(namespace) and not call.subresource:
            raise _terminating(attributes)

    def validate(self, attributes: Attributes) -> None:
        """Nothing more: `admit` has looked already."""

    def _check_deletion(self, attributes: Attributes) -> None:
        call = attributes.call
        if call.resource == refs.NAMESPACES and call.name in _IMMORTAL:
            raise status.forbidden(refs.NAMESPACES, call.name, "this namespace may not be deleted")


def _terminating(attributes: Attributes) -> status.ApiError:
    name = attributes.namespace
    why = f"unable to create new content in namespace {name} because it is being terminated"
    error = status.forbidden(attributes.call.resource, attributes.name, why)
    details = error.details or {}
    message = f"namespace {name} is being terminated"
    details["causes"] = [
        {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
    ]
    return error
