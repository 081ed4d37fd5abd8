"""Injection itself: the pod as it is created.

Source: istiod's injector: templates by annotation ``inject.istio.io/templates``, order of
containers, metrics merge, the status annotation.
"""

from __future__ import annotations

import json
from typing import Any

from meshcourse.embedded.istiod.inject import application, overlay, owner, proxy, values, volumes
from meshcourse.embedded.istiod.inject.owner import Owner
from meshcourse.embedded.istiod.inject.proxy import INIT, PROXY, Context
from meshcourse.embedded.istiod.inject.values import Values
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.errors import MeshcourseError

STATUS = "sidecar.istio.io/status"
OVERRIDES = "proxy.istio.io/overrides"
TEMPLATES = "inject.istio.io/templates"
METRICS_VARIABLE = "ISTIO_PROMETHEUS_ANNOTATIONS"


class InjectionError(MeshcourseError):
    """A pod that cannot be injected; the webhook refuses it with this message."""


def inject(pod: Object, namespace: str, settings: Values, workload: Owner | None = None) -> Object:
    """The pod with its proxy. Injecting twice changes nothing further.

    :param workload: what the pod belongs to, if that cannot be seen from the pod (a template).
    :raises InjectionError: for annotations that make no sense.
    """
    pod = _without_proxy(pod)
    template = objects.annotations_of(pod).get(TEMPLATES, "sidecar")
    if template not in _TEMPLATES:
        raise InjectionError(
            f"failed to run injection template: requested template {template!r} not found; "
            f"have {', '.join(sorted(_TEMPLATES))}"
        )
    try:
        config = values.proxy_config(settings, objects.annotations_of(pod))
        context = Context(pod, namespace, workload or owner.of(pod), settings, config)
        added = _TEMPLATES[template](context)
    except ValueError as error:
        raise InjectionError(f"failed to run injection template: {error}") from error
    return _finish(context, _merge(context, added), added)


def _sidecar(context: Context) -> Object:
    container = proxy.sidecar(context)
    before: list[Object] = [proxy.init(context)]
    if context.annotation("sidecar.istio.io/interceptionMode") == "NONE":
        before = []
    if context.native:
        return {"initContainers": [*before, container], "containers": []}
    return {"initContainers": before, "containers": [container]}


def _gateway(context: Context) -> Object:
    return {"initContainers": [], "containers": [proxy.gateway(context)]}


_TEMPLATES = {"sidecar": _sidecar, "gateway": _gateway}


def _merge(context: Context, added: Object) -> Object:
    """The pod's spec with the added containers and volumes, the user's settings on top."""
    spec: Object = dict(context.pod.get("spec") or {})
    own = _own_containers(context.pod)
    applications = [_captured(context, one) for one in context.containers]
    init = [one for one in spec.get("initContainers") or () if one["name"] not in own]
    ours = [_overlaid(one, own) for one in added["initContainers"]]
    rest = [_captured(context, one) for one in init]
    proxies = [_overlaid(one, own) for one in added["containers"]]
    first = bool(context.config.get("holdApplicationUntilProxyStarts"))
    spec["containers"] = [*proxies, *applications] if first else [*applications, *proxies]
    # A native sidecar starts before the application's init containers; otherwise they run before capture.
    spec["initContainers"] = [*ours, *rest] if context.native else [*init, *ours]
    if not spec["initContainers"]:
        del spec["initContainers"]
    spec["volumes"] = _volumes(spec)
    return spec


def _captured(context: Context, container: Object) -> Object:
    if context.annotation(TEMPLATES) == "gateway":
        return container
    return application.capture(container, context.annotation(application.EXCLUDED))


def _overlaid(container: Object, own: dict[str, Object]) -> Object:
    return overlay.container(container, own.get(container["name"], {}))


def _own_containers(pod: Object) -> dict[str, Object]:
    """What the user wrote for our containers."""
    spec = pod.get("spec") or {}
    every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return {one["name"]: one for one in every if one["name"] in (PROXY, INIT)}


def _volumes(spec: Object) -> list[Object]:
    known = {volume["name"] for volume in spec.get("volumes") or ()}
    return [*(spec.get("volumes") or ()), *(v for v in volumes.volumes() if v["name"] not in known)]


def _finish(context: Context, spec: Object, added: Object) -> Object:
    """Labels, annotations and the merge of metrics."""
    annotations = dict(objects.annotations_of(context.pod))
    annotations["istio.io/rev"] = context.values.revision or "default"
    names = [one["name"] for one in context.containers]
    if names:
        annotations.setdefault("kubectl.kubernetes.io/default-container", names[0])
        annotations.setdefault("kubectl.kubernetes.io/default-logs-container", names[0])
    own = _own_containers(context.pod)
    if own:
        annotations[OVERRIDES] = json.dumps({"containers": list(own.values())})
    if _merges_metrics(context):
        _merge_metrics(annotations, spec)
    annotations[STATUS] = _status(added, context.values)
    metadata = {
        **(context.pod.get("metadata") or {}),
        "annotations": annotations,
        "labels": _labels(context),
    }
    return {**context.pod, "metadata": metadata, "spec": spec}


def _labels(context: Context) -> dict[str, str]:
    labels = dict(objects.labels(context.pod))
    name = labels.get("app.kubernetes.io/name") or labels.get("app") or context.owner.name
    version = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
    if context.annotation(TEMPLATES) != "gateway":
        labels.setdefault("security.istio.io/tlsMode", "istio")
    labels.setdefault("service.istio.io/canonical-name", name[:63].strip("-_."))
    labels.setdefault("service.istio.io/canonical-revision", version)
    return labels


def _merges_metrics(context: Context) -> bool:
    wanted = context.annotation("prometheus.istio.io/merge-metrics", "true") == "true"
    scraped = context.annotation("prometheus.io/scrape", "true") == "true"
    return wanted and scraped and context.values.merge_metrics


def _merge_metrics(annotations: dict[str, str], spec: Object) -> None:
    """Prometheus is sent to the agent, which adds the application's own metrics to Envoy's."""
    keys = ("scrape", "port", "path")
    port = annotations.get("prometheus.io/port", "")
    if annotations.get("prometheus.io/scrape") == "true" and port != str(proxy.STATUS_PORT):
        own = {key: annotations.get(f"prometheus.io/{key}", "") for key in keys}
        container = _find_proxy(spec)
        variable = {"name": METRICS_VARIABLE, "value": json.dumps(own)}
        container["env"] = [*container["env"], variable]
    annotations |= {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(proxy.STATUS_PORT),
        "prometheus.io/path": "/stats/prometheus",
    }


def _find_proxy(spec: Object) -> Object:
    every = [*spec["containers"], *spec.get("initContainers", ())]
    found: Object = next(one for one in every if one["name"] == PROXY)
    return found


def _status(added: Object, settings: Values) -> str:
    def names(kind: str) -> list[str] | None:
        return [one["name"] for one in added[kind]] or None

    status: dict[str, Any] = {
        "initContainers": names("initContainers"),
        "containers": names("containers"),
        "volumes": [volume["name"] for volume in volumes.volumes()],
        "imagePullSecrets": None,
        "revision": settings.revision or "default",
    }
    return json.dumps(status, separators=(",", ":"))


def _without_proxy(pod: Object) -> Object:
    """The pod as it was before an earlier injection (kube-inject and the webhook may both act)."""
    status = objects.annotations_of(pod).get(STATUS)
    if not status:
        return pod
    before = json.loads(status)
    spec = dict(pod.get("spec") or {})
    annotations = dict(objects.annotations_of(pod))
    for key, value in _scraped_before(spec).items():
        annotations[f"prometheus.io/{key}"] = value
        if not value:
            del annotations[f"prometheus.io/{key}"]
    for kind in ("initContainers", "containers", "volumes"):
        ours = set(before.get(kind) or ())
        spec[kind] = [one for one in spec.get(kind) or () if one["name"] not in ours]
    overrides = annotations.get(OVERRIDES)
    if overrides:
        spec["containers"] += json.loads(overrides)["containers"]
    metadata = {**(pod.get("metadata") or {}), "annotations": annotations}
    return {**pod, "spec": spec, "metadata": metadata}


def _scraped_before(spec: Object) -> dict[str, str]:
    """The application's own ``prometheus.io/…`` annotations, which the last injection moved into the proxy."""
    every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    variables = [v for one in every if one["name"] == PROXY for v in one.get("env") or ()]
    text = next((v["value"] for v in variables if v["name"] == METRICS_VARIABLE), "{}")
    return dict(json.loads(text))
