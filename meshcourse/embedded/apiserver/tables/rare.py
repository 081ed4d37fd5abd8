"""Rows of kinds that few people list. Source: the API server's printers."""

from __future__ import annotations

from meshcourse.embedded.apiserver.tables import columns
from meshcourse.embedded.apiserver.tables.columns import NONE, UNSET, Row
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def component_status(obj: Object) -> Row:
    healthy = [each for each in obj.get("conditions") or () if each.get("type") == "Healthy"]
    if not healthy:
        return [columns.name(obj), "Unknown", "", ""]
    found = healthy[0]
    word = {"True": "Healthy", "False": "Unhealthy"}.get(found.get("status", ""), "Unknown")
    return [columns.name(obj), word, found.get("message", ""), found.get("error", "")]


COMPONENT_STATUS = columns.printer(component_status, "Name", "Status", "Message", "Error")


def csi_node(obj: Object) -> Row:
    return [columns.name(obj), len(objects.dig(obj, "spec.drivers", ())), columns.age(obj)]


CSI_NODE = columns.printer(csi_node, "Name", "Drivers:integer", "Age")


def csi_driver(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    audiences = ",".join(each.get("audience", "") for each in spec.get("tokenRequests") or ())
    return [
        columns.name(obj),
        bool(spec.get("attachRequired")),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        audiences or UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        columns.age(obj),
    ]


CSI_DRIVER = columns.printer(
    csi_driver,
    "Name",
    "AttachRequired:boolean",
    "PodInfoOnMount:boolean",
    "StorageCapacity:boolean",
    "TokenRequests",
    "RequiresRepublish:boolean",
    "Modes",
    "Age",
)


def volume_attachment(obj: Object) -> Row:
    return [
        columns.name(obj),
        objects.dig(obj, "spec.attacher", ""),
        objects.dig(obj, "spec.source.persistentVolumeName", ""),
        objects.dig(obj, "spec.nodeName", ""),
        bool(objects.dig(obj, "status.attached")),
        columns.age(obj),
    ]


VOLUME_ATTACHMENT = columns.printer(
    volume_attachment, "Name", "Attacher", "PV", "Node", "Attached:boolean", "Age"
)


def admission_policy(obj: Object) -> Row:
    kind = objects.dig(obj, "spec.paramKind")
    parameter = f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else UNSET
    checks = len(objects.dig(obj, "spec.validations", ()))
    return [columns.name(obj), checks, parameter, columns.age(obj)]


ADMISSION_POLICY = columns.printer(
    admission_policy, "Name", "Validations:integer", "ParamKind", "Age"
)


def admission_policy_binding(obj: Object) -> Row:
    reference = objects.dig(obj, "spec.paramRef")
    parameter = UNSET
    if reference:
        steps = (reference.get("namespace") or "*", reference.get("name") or "*")
        parameter = "/".join(steps)
    policy = objects.dig(obj, "spec.policyName", "")
    return [columns.name(obj), policy, parameter, columns.age(obj)]


ADMISSION_POLICY_BINDING = columns.printer(
    admission_policy_binding, "Name", "PolicyName", "ParamRef", "Age"
)
