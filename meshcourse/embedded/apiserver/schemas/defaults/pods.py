"""Defaults of pods, pod templates, containers, probes and volumes."""

from __future__ import annotations

from typing import Any, Final

from meshcourse.embedded.kube.objects import Object

_MODE: Final = 0o644
_TOKEN_SECONDS: Final = 3600


def pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in [*spec.get("initContainers", ()), *spec.get("containers", ())]:
        _requests_from_limits(container)


def pod_template(obj: Object) -> None:
    pod_spec(obj.setdefault("template", {}).setdefault("spec", {}))


def pod_spec(spec: Object) -> None:
    """Defaults that pods and pod templates share."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for each in spec.get(field, ()):
            container(each, host_network=bool(spec.get("hostNetwork")))
    for each in spec.get("volumes", ()):
        volume(each)


def container(obj: Object, *, host_network: bool = False) -> None:
    obj.setdefault("resources", {})
    obj.setdefault("terminationMessagePath", "/dev/termination-log")
    obj.setdefault("terminationMessagePolicy", "File")
    obj.setdefault("imagePullPolicy", pull_policy(obj.get("image", "")))
    for port in obj.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if host_network and not port.get("hostPort"):
            port["hostPort"] = port.get("containerPort")
    for variable in obj.get("env", ()):
        _field_reference(variable.get("valueFrom"))
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(obj.get(field), dict):
            probe(obj[field])
    for hook in (obj.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _http_get(hook.get("httpGet"))


def pull_policy(image: str) -> str:
    """``Always`` for ``:latest`` and for no tag at all, ``IfNotPresent`` for tags and digests."""
    if "@" in image:
        return "IfNotPresent"
    _, _, tag = image.rsplit("/", 1)[-1].partition(":")
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def probe(obj: Object) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        obj[field] = obj.get(field) or value
    _http_get(obj.get("httpGet"))
    if isinstance(obj.get("grpc"), dict):
        obj["grpc"].setdefault("service", "")


def volume(obj: Object) -> None:
    if len(obj) == 1 and "name" in obj:
        obj["emptyDir"] = {}
    for field in ("secret", "configMap", "downwardAPI", "projected"):
        source = obj.get(field)
        if isinstance(source, dict):
            source.setdefault("defaultMode", _MODE)
            _downward_items(source)
    if isinstance(obj.get("hostPath"), dict):
        obj["hostPath"].setdefault("type", "")
    for source in (obj.get("projected") or {}).get("sources") or ():
        if isinstance(source.get("serviceAccountToken"), dict):
            source["serviceAccountToken"].setdefault("expirationSeconds", _TOKEN_SECONDS)
        _downward_items(source.get("downwardAPI") or {})
    template = (obj.get("ephemeral") or {}).get("volumeClaimTemplate")
    if isinstance(template, dict):
        template.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _downward_items(source: Object) -> None:
    for item in source.get("items") or ():
        _field_reference(item)


def _field_reference(holder: Any) -> None:
    if isinstance(holder, dict) and isinstance(holder.get("fieldRef"), dict):
        holder["fieldRef"].setdefault("apiVersion", "v1")


def _http_get(action: Any) -> None:
    if isinstance(action, dict):
        action.setdefault("path", "/")
        action.setdefault("scheme", "HTTP")


def _requests_from_limits(container_: Object) -> None:
    limits = (container_.get("resources") or {}).get("limits")
    if limits:
        requests = container_["resources"].setdefault("requests", {})
        for name, quantity in limits.items():
            requests.setdefault(name, quantity)
