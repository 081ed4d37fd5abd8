"""Defaults of what configures a cluster: namespaces, secrets, bindings, webhooks, definitions of custom resources."""

from __future__ import annotations

import base64

from meshcourse.embedded.kube.objects import Object

_RBAC = "rbac.authorization.k8s.io"


def secret(obj: Object) -> None:
    """``stringData`` is write-only: it ends up encoded in ``data`` and wins over it."""
    obj.setdefault("type", "Opaque")
    for key, text in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()


def namespace(obj: Object) -> None:
    metadata = obj.setdefault("metadata", {})
    if metadata.get("name"):
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]


def node(obj: Object) -> None:
    status = obj.get("status") or {}
    if "capacity" in status:
        status.setdefault("allocatable", dict(status["capacity"]))


def limit_range(obj: Object) -> None:
    for item in (obj.get("spec") or {}).get("limits") or ():
        if item.get("type") == "Container" and (item.get("max") or item.get("default")):
            default = item.setdefault("default", {})
            for name, quantity in (item.get("max") or {}).items():
                default.setdefault(name, quantity)
            request = item.setdefault("defaultRequest", {})
            for name, quantity in {**default, **(item.get("min") or {})}.items():
                request.setdefault(name, quantity)


def role_binding(obj: Object) -> None:
    if isinstance(obj.get("roleRef"), dict):
        obj["roleRef"].setdefault("apiGroup", _RBAC)
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _RBAC)


def priority_class(obj: Object) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def mutating_webhooks(obj: Object) -> None:
    for webhook in obj.get("webhooks") or ():
        _webhook(webhook)
        webhook.setdefault("reinvocationPolicy", "Never")


def validating_webhooks(obj: Object) -> None:
    for webhook in obj.get("webhooks") or ():
        _webhook(webhook)


def _webhook(webhook: Object) -> None:
    webhook.setdefault("failurePolicy", "Fail")
    webhook.setdefault("matchPolicy", "Equivalent")
    webhook.setdefault("namespaceSelector", {})
    webhook.setdefault("objectSelector", {})
    webhook.setdefault("timeoutSeconds", 10)
    for rule in webhook.get("rules") or ():
        rule.setdefault("scope", "*")
    _service_port(webhook.get("clientConfig"))


def _service_port(client: object) -> None:
    if isinstance(client, dict) and isinstance(client.get("service"), dict):
        client["service"].setdefault("port", 443)


def custom_resource_definition(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    conversion = spec.setdefault("conversion", {})
    conversion.setdefault("strategy", "None")
    _service_port((conversion.get("webhook") or {}).get("clientConfig"))


def api_service(obj: Object) -> None:
    service = (obj.get("spec") or {}).get("service")
    if isinstance(service, dict):
        service.setdefault("port", 443)
