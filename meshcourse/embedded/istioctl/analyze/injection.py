"""Injection: labels of namespaces, pods that lack the proxy or have an old one, ``image: auto``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages
from meshcourse.embedded.istioctl.analyze.webhooks import matches

_ENABLED: Final = "enabled"


def injection(objects: Collection) -> Messages:
    injected = set()
    for namespace in objects.all("Namespace"):
        if namespace.name != "istio-system":
            yield from _namespace(namespace, objects)
            if namespace.labels.get(mesh.INJECTION) == _ENABLED:
                injected.add(namespace.name)
    for pod in objects.all("Pod"):
        if pod.namespace in injected and _lacks_proxy(pod):
            yield report("PodMissingProxy", pod, pod.full)


def _namespace(namespace: Item, objects: Collection) -> Messages:
    labels = namespace.labels
    own = labels.get(mesh.INJECTION)
    found = [f"{mesh.INJECTION}={own}"] if own is not None else []
    if own in (None, _ENABLED):
        others = (mesh.REVISION, mesh.DATAPLANE)
        found += [f"{key}={labels[key]}" for key in others if key in labels]
    if len(found) > 1:
        yield report("NamespaceMultipleInjectionLabels", namespace, found)
    if own or mesh.REVISION in labels or labels.get(mesh.DATAPLANE) == "ambient":
        return
    webhook = maps(mesh.injector_config(objects, "").get("sidecarInjectorWebhook"))
    if webhook.get("enableNamespacesByDefault"):
        yield report("NamespaceInjectionEnabledByDefault", namespace)
    else:
        name = namespace.name
        yield report("NamespaceNotInjected", namespace, name, name, at="metadata.name")


def _lacks_proxy(pod: Item) -> bool:
    wish = pod.labels.get(mesh.INJECT, pod.annotations.get(mesh.INJECT, ""))
    if wish.lower() == "false" or pod.spec.get("hostNetwork"):
        return False
    return not any(
        one.get("name") == mesh.PROXY and one.get("image") for one in mesh.containers(pod.spec)
    )


def images(objects: Collection) -> Messages:
    """Pods whose proxy is of another version than the injector would give them now."""
    stale: dict[str, list[str]] = {}
    for pod in objects.all("Pod"):
        namespace = objects.find("Namespace", "", pod.namespace)
        if namespace is None or "sidecar.istio.io/proxyImage" in pod.annotations:
            continue
        revision = namespace.labels.get(mesh.REVISION)
        if revision is None and namespace.labels.get(mesh.INJECTION) != _ENABLED:
            continue
        wanted = _image(mesh.injector_config(objects, revision or ""))
        if wanted and _other_image(pod, wanted):
            stale.setdefault(pod.namespace, []).append(pod.name)
    for name, pods in sorted(stale.items()):
        item = objects.find("Namespace", "", name)
        yield report("PodsIstioProxyImageMismatchInNamespace", item, sorted(pods))


def _image(values: Mapping[str, Any]) -> str:
    settings = maps(values.get("global"))
    image = str(maps(settings.get("proxy")).get("image") or "")
    if "/" in image or not image:
        return image
    return f"{settings.get('hub')}/{image}:{settings.get('tag')}"


def _other_image(pod: Item, wanted: str) -> bool:
    """Variants (``-distroless``) of the wanted image count as it."""
    proxies = [one for one in mesh.containers(pod.spec) if one.get("name") == mesh.PROXY]
    images = (str(one.get("image")) for one in proxies)
    return any(one != wanted and not one.startswith(f"{wanted}-") for one in images)


def automatic(objects: Collection) -> Messages:
    """``image: auto`` is a place holder that only the injector fills."""
    for pod in objects.all("Pod"):
        if _auto(pod.spec):
            yield report("ImageAutoWithoutInjectionError", pod, "Pod", pod.name)
    hooks = [
        hook
        for config in objects.all("MutatingWebhookConfiguration")
        for hook in lists(config.obj.get("webhooks"))
        if str(hook.get("name", "")).endswith("istio.io")
    ]
    for deployment in objects.all("Deployment"):
        template = maps(deployment.spec.get("template"))
        home = objects.find("Namespace", "", deployment.namespace or "default")
        labels = home.labels if home is not None else {}
        own = maps(maps(template.get("metadata")).get("labels"))
        if _auto(maps(template.get("spec"))) and not any(
            matches(hook, labels, own) for hook in hooks
        ):
            name = "ImageAutoWithoutInjectionWarning"
            yield report(name, deployment, "Deployment", deployment.name)


def _auto(pod_spec: Mapping[str, Any]) -> bool:
    found = mesh.containers(pod_spec, init=False)
    return any(one.get("name") == mesh.PROXY and one.get("image") == "auto" for one in found)


ANALYZERS: Final = (
    Analyzer(
        "injection.Analyzer",
        "Checks conditions related to Istio sidecar injection",
        ("Namespace", "Pod", "ConfigMap"),
        injection,
    ),
    Analyzer(
        "injection.ImageAnalyzer",
        "Checks the image of auto-injection configured with the running proxies on pods",
        ("Namespace", "Pod", "ConfigMap"),
        images,
    ),
    Analyzer(
        "injection.ImageAutoAnalyzer",
        "Makes sure that Pods and Deployments with `image: auto` are going to be injected",
        ("Namespace", "Pod", "Deployment", "MutatingWebhookConfiguration"),
        automatic,
    ),
)
