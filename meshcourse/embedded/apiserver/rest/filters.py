"""Which objects a list or watch shows: label and field selectors, compiled once."""

from __future__ import annotations

from dataclasses import dataclass

from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.kube import objects, selectors, status
from meshcourse.embedded.kube.objects import Object

#: Field labels besides metadata.name and metadata.namespace, by resource. Source: the ``AddFieldLabelConversionFunc``
#: registrations of ``pkg/apis``.
_FIELDS: dict[str, frozenset[str]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"status.phase"}),
    "secrets": frozenset({"type"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
    "replicationcontrollers": frozenset({"status.replicas"}),
    "replicasets.apps": frozenset({"status.replicas"}),
    "jobs.batch": frozenset({"status.successful"}),
    "certificatesigningrequests.certificates.k8s.io": frozenset({"spec.signerName"}),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
}
_COMMON = frozenset({"metadata.name", "metadata.namespace"})
#: events.k8s.io names the same fields differently.
_EVENT_ALIASES = {"reportingController": "reportingComponent"}


@dataclass(frozen=True, slots=True)
class Filter:
    """False if everything passes. `name` limits to one object (watching a single one)."""

    labels: selectors.LabelSelector
    fields: selectors.FieldSelector
    name: str = ""

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields or self.name)

    def matches(self, stored: Object) -> bool:
        """Whether a stored object passes."""
        if self.name and objects.name(stored) != self.name:
            return False
        return self.labels.matches(objects.labels(stored)) and self.fields.matches(stored)


def parse(kind: Kind, label_selector: str, field_selector: str, name: str = "") -> Filter:
    """:raises ApiError: 400 for what does not parse and for fields that cannot be selected by."""
    try:
        labels = selectors.parse_labels(label_selector)
        fields = selectors.parse_fields(field_selector)
    except selectors.SelectorError as error:
        raise status.bad_request(str(error)) from None
    fields = fields.renamed(_aliases(kind))
    for field in fields.names():
        if field not in _COMMON and field not in _selectable(kind):
            raise status.bad_request(f"field label not supported: {field}")
    return Filter(labels, fields, name)


def _aliases(kind: Kind) -> dict[str, str]:
    if kind.resource.group != "events.k8s.io":
        return {}
    names = {f"regarding.{tail}": f"involvedObject.{tail}" for tail in _INVOLVED}
    return {**names, **_EVENT_ALIASES}


_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _selectable(kind: Kind) -> frozenset[str]:
    if kind.crd is None:
        return _FIELDS.get(kind.key, frozenset())
    versions = objects.dig(kind.crd, "spec.versions", [])
    version = next(found for found in versions if found["name"] == kind.resource.version)
    found = version.get("selectableFields") or []
    return frozenset(field["jsonPath"].lstrip(".") for field in found)
