"""Rules for admission webhook configurations. Source: Kubernetes' admissionregistration validation."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import meta, names
from meshcourse.embedded.kube.objects import Object

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")


def mutating(report: Report, new: Object, old: Object | None) -> None:
    for index, webhook in enumerate(new.get("webhooks") or ()):
        policy = webhook.get("reinvocationPolicy")
        report.one_of(f"webhooks[{index}].reinvocationPolicy", policy, ("IfNeeded", "Never"))
    _webhooks(report, new)


def validating(report: Report, new: Object, old: Object | None) -> None:
    _webhooks(report, new)


def _webhooks(report: Report, new: Object) -> None:
    seen: set[str] = set()
    for index, webhook in enumerate(new.get("webhooks") or ()):
        path = f"webhooks[{index}]"
        name = webhook.get("name") or ""
        if not name:
            report.required(f"{path}.name")
        else:
            report.invalids(f"{path}.name", name, names.fully_qualified(name))
        if name in seen:
            report.duplicate(f"{path}.name", name)
        seen.add(name)
        _webhook(report, path, webhook)


def _webhook(report: Report, path: str, webhook: Object) -> None:
    for index, rule in enumerate(webhook.get("rules") or ()):
        _rule(report, f"{path}.rules[{index}]", rule)
    report.one_of(f"{path}.failurePolicy", webhook.get("failurePolicy"), ("Fail", "Ignore"))
    report.one_of(f"{path}.matchPolicy", webhook.get("matchPolicy"), ("Equivalent", "Exact"))
    effects = webhook.get("sideEffects")
    report.one_of(f"{path}.sideEffects", effects, ("None", "NoneOnDryRun"), required=True)
    seconds = webhook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        report.invalid(
            f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds"
        )
    for field in ("namespaceSelector", "objectSelector"):
        meta.selector(report, f"{path}.{field}", webhook.get(field))
    _versions(
        report, f"{path}.admissionReviewVersions", webhook.get("admissionReviewVersions") or ()
    )
    client_config(report, f"{path}.clientConfig", webhook.get("clientConfig") or {})


def _versions(report: Report, path: str, versions: Any) -> None:
    if not versions:
        report.required(path, "must specify one of v1, v1beta1")
    elif not {"v1", "v1beta1"} & set(versions):
        report.invalid(path, list(versions), "must include at least one of v1, v1beta1")


def _rule(report: Report, path: str, rule: Object) -> None:
    operations = rule.get("operations") or ()
    if not operations:
        report.required(f"{path}.operations")
    if len(operations) > 1 and "*" in operations:
        text = "if '*' is present, must not specify other operations"
        report.invalid(f"{path}.operations", list(operations), text)
    for index, operation in enumerate(operations):
        report.one_of(f"{path}.operations[{index}]", operation, _OPERATIONS)
    for field, word in (("apiGroups", "API groups"), ("apiVersions", "versions")):
        values = rule.get(field) or ()
        if not values:
            report.required(f"{path}.{field}")
        elif len(values) > 1 and "*" in values:
            text = f"if '*' is present, must not specify other {word}"
            report.invalid(f"{path}.{field}", list(values), text)
    if not rule.get("resources"):
        report.required(f"{path}.resources")
    report.one_of(f"{path}.scope", rule.get("scope"), _SCOPES)


def client_config(report: Report, path: str, client: Object) -> None:
    """How the API server reaches a webhook (also of CRD conversion)."""
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        report.required(path, "exactly one of url or service is required")
    elif url is not None:
        _url(report, f"{path}.url", url)
    else:
        _service(report, f"{path}.service", service)
    bundle = client.get("caBundle")
    if bundle and not _certificates(bundle):
        text = "unable to load root certificates: unable to parse bytes as PEM block"
        report.invalid(f"{path}.caBundle", bundle, text)


def _certificates(bundle: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE-----" in base64.b64decode(bundle)
    except (binascii.Error, ValueError):
        return False


def _url(report: Report, path: str, url: str) -> None:
    form = "desired format: https://host[/path]"
    found = urlsplit(url)
    if found.scheme != "https":
        report.invalid(path, url, f"'https' is the only allowed URL scheme; {form}")
    if not found.netloc:
        report.invalid(path, url, f"host must be specified; {form}")
    if found.username:
        report.invalid(path, url, "user information is not permitted in the URL")
    if found.fragment:
        report.invalid(path, url, "fragments are not permitted in the URL")
    if found.query:
        report.invalid(path, url, "query parameters are not permitted in the URL")


def _service(report: Report, path: str, service: Any) -> None:
    if not service.get("name"):
        report.required(f"{path}.name", "service name is required")
    if not service.get("namespace"):
        report.required(f"{path}.namespace", "service namespace is required")
    port = service.get("port", 443)
    if names.port_number(port):
        text = f"port is not valid: {names.port_number(port)[0]}"
        report.invalid(f"{path}.port", port, text)
    at = service.get("path")
    if at is not None and not at.startswith("/"):
        report.invalid(f"{path}.path", at, "must start with a '/'")
