"""Rows of nodes, namespaces, events, configuration and extension points. Source: the API server's printers."""

from __future__ import annotations

from meshcourse.embedded.apiserver.tables import columns, durations
from meshcourse.embedded.apiserver.tables.columns import NONE, Row
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_ROLE = "node-role.kubernetes.io/"


def node(obj: Object) -> Row:
    info = objects.dig(obj, "status.nodeInfo", {})
    unknown = durations.UNKNOWN
    return [
        columns.name(obj),
        _node_status(obj),
        _roles(obj),
        columns.age(obj),
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or unknown,
        info.get("kernelVersion") or unknown,
        info.get("containerRuntimeVersion") or unknown,
    ]


def _node_status(obj: Object) -> str:
    ready = [
        each for each in objects.dig(obj, "status.conditions", ()) if each.get("type") == "Ready"
    ]
    words = ["Unknown"]
    if ready:
        words = ["Ready" if ready[0].get("status") == "True" else "NotReady"]
    if objects.dig(obj, "spec.unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(obj: Object) -> str:
    labels = objects.labels(obj)
    found = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    if labels.get("kubernetes.io/role"):
        found.add(labels["kubernetes.io/role"])
    return ",".join(sorted(found - {""})) or NONE


def _address(obj: Object, kind: str) -> str:
    addresses = objects.dig(obj, "status.addresses", ())
    return next((each["address"] for each in addresses if each.get("type") == kind), NONE)


NODE = columns.printer(
    node,
    "Name",
    "Status",
    "Roles",
    "Age",
    "Version",
    "*Internal-IP",
    "*External-IP",
    "*OS-Image",
    "*Kernel-Version",
    "*Container-Runtime",
)


def namespace(obj: Object) -> Row:
    return [columns.name(obj), objects.dig(obj, "status.phase", ""), columns.age(obj)]


NAMESPACE = columns.printer(namespace, "Name", "Status", "Age")


def config_map(obj: Object) -> Row:
    entries = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [columns.name(obj), entries, columns.age(obj)]


CONFIG_MAP = columns.printer(config_map, "Name", "Data:integer", "Age")


def secret(obj: Object) -> Row:
    return [columns.name(obj), obj.get("type", ""), len(obj.get("data") or ()), columns.age(obj)]


SECRET = columns.printer(secret, "Name", "Type", "Data:integer", "Age")


def service_account(obj: Object) -> Row:
    return [columns.name(obj), len(obj.get("secrets") or ()), columns.age(obj)]


SERVICE_ACCOUNT = columns.printer(service_account, "Name", "Secrets:integer", "Age")


def event(obj: Object) -> Row:
    """A core/v1 Event; `events_event` for the newer group."""
    first = durations.since(obj.get("firstTimestamp") or obj.get("eventTime"))
    last = durations.since(obj["lastTimestamp"]) if obj.get("lastTimestamp") else first
    count = obj.get("count") or 1
    series = obj.get("series")
    if series:
        last, count = durations.since(series.get("lastObservedTime")), series.get("count", 1)
    involved = obj.get("involvedObject") or {}
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        _target(involved),
        involved.get("fieldPath", ""),
        _source(obj),
        (obj.get("message") or "").strip(),
        first,
        count,
        columns.name(obj),
    ]


def events_event(obj: Object) -> Row:
    """An events.k8s.io/v1 Event: the same object under other field names."""
    return event(
        {
            **obj,
            "involvedObject": obj.get("regarding"),
            "message": obj.get("note"),
            "firstTimestamp": obj.get("deprecatedFirstTimestamp"),
            "lastTimestamp": obj.get("deprecatedLastTimestamp"),
            "count": obj.get("deprecatedCount"),
            "source": obj.get("deprecatedSource"),
        }
    )


def _target(involved: Object) -> str:
    kind = (involved.get("kind") or "").lower()
    return f"{kind}/{involved['name']}" if involved.get("name") else kind


def _source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


_EVENT_COLUMNS = (
    "Last Seen", "Type", "Reason", "Object", "*Subobject", "*Source", "Message", "*First Seen",
    "*Count:integer", "*Name",
)  # fmt: skip
EVENT = columns.printer(event, *_EVENT_COLUMNS)
EVENTS_EVENT = columns.printer(events_event, *_EVENT_COLUMNS)


def lease(obj: Object) -> Row:
    return [columns.name(obj), objects.dig(obj, "spec.holderIdentity", ""), columns.age(obj)]


LEASE = columns.printer(lease, "Name", "Holder", "Age")


def webhooks(obj: Object) -> Row:
    return [columns.name(obj), len(obj.get("webhooks") or ()), columns.age(obj)]


WEBHOOKS = columns.printer(webhooks, "Name", "Webhooks:integer", "Age")


def created_at(obj: Object) -> Row:
    """Kinds without a printer of their own."""
    return [columns.name(obj), objects.dig(obj, "metadata.creationTimestamp", "")]


CREATED_AT = columns.printer(created_at, "Name", "Created At:date")


def runtime_class(obj: Object) -> Row:
    return [columns.name(obj), obj.get("handler", ""), columns.age(obj)]


RUNTIME_CLASS = columns.printer(runtime_class, "Name", "Handler", "Age")


def priority_class(obj: Object) -> Row:
    return [
        columns.name(obj),
        obj.get("value", 0),
        str(bool(obj.get("globalDefault"))).lower(),
        columns.age(obj),
        obj.get("preemptionPolicy", ""),
    ]


PRIORITY_CLASS = columns.printer(
    priority_class, "Name", "Value:integer", "Global-Default:boolean", "Age", "PreemptionPolicy"
)


def api_service(obj: Object) -> Row:
    service = objects.dig(obj, "spec.service")
    target = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    return [columns.name(obj), target, _available(obj), columns.age(obj)]


def _available(obj: Object) -> str:
    for each in objects.dig(obj, "status.conditions", ()):
        if each.get("type") == "Available":
            reason = f" ({each.get('reason', '')})" if each.get("status") != "True" else ""
            return f"{each.get('status')}{reason}"
    return "Unknown"


API_SERVICE = columns.printer(api_service, "Name", "Service", "Available", "Age")


def certificate_request(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    return [
        columns.name(obj),
        columns.age(obj),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        durations.human(seconds) if seconds else NONE,
        _certificate_condition(obj),
    ]


def _certificate_condition(obj: Object) -> str:
    kinds = [each.get("type", "") for each in objects.dig(obj, "status.conditions", ())]
    words = [kind for kind in ("Approved", "Denied", "Failed") if kind in kinds] or ["Pending"]
    if objects.dig(obj, "status.certificate"):
        words.append("Issued")
    return ",".join(words)


CERTIFICATE_REQUEST = columns.printer(
    certificate_request,
    "Name",
    "Age",
    "SignerName",
    "Requestor",
    "RequestedDuration",
    "Condition",
)
