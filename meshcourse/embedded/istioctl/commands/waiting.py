"""Waiting for what was installed, and saying where it stalls and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from meshcourse.embedded.client.protocol import Client, WatchEvent
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError


def deployment_ready(deployment: Object) -> bool:
    """As ``kubectl rollout status`` sees it: all replicas are of the newest template and available."""
    status, spec = deployment.get("status") or {}, deployment.get("spec") or {}
    wanted = spec.get("replicas", 1)
    observed = status.get("observedGeneration", 0) >= objects.dig(
        deployment, "metadata.generation", 0
    )
    counts = (status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas"))
    return bool(observed) and all(count == wanted for count in counts)


def crd_established(crd: Object) -> bool:
    conditions = objects.dig(crd, "status.conditions", [])
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


_PAUSE = 0.1  # seconds between a watch that ended and the next
_CHECKS: dict[str, tuple[Resource, Callable[[Object], bool]]] = {
    "Deployment": (refs.DEPLOYMENTS, deployment_ready),
    "CustomResourceDefinition": (refs.CRDS, crd_established),
}


async def until_ready(client: Client, obj: Object) -> None:
    """Return when an installed object is ready; kinds without a notion of it are ready at once."""
    if obj["kind"] not in _CHECKS:
        return
    resource, ready = _CHECKS[obj["kind"]]
    name, namespace = objects.name(obj), objects.namespace(obj) or None
    selector = f"metadata.name={name}"
    while True:
        found = await client.list(resource, namespace, field_selector=selector)
        if any(ready(one) for one in found.items):
            return
        events = client.watch(
            resource,
            namespace,
            resource_version=found.resource_version,
            field_selector=selector,
        )
        if await _seen(events, ready):
            return
        await asyncio.sleep(_PAUSE)


async def _seen(events: AsyncIterator[WatchEvent], ready: Callable[[Object], bool]) -> bool:
    """Whether a watch shows a ready object before it ends."""
    try:
        async for event in events:
            if event.type in ("ADDED", "MODIFIED") and ready(event.object):
                return True
    except ApiError:
        return False  # too old, or the server is restarting: list again
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
    return False


async def reasons(client: Client, deployment: Object) -> list[str]:
    """Why a Deployment is not ready, in the words of its pods and of the events about them."""
    namespace = objects.namespace(deployment)
    labels = deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = (await client.list(refs.PODS, namespace, label_selector=selector)).items
    if not pods:
        return [f"no pods yet for Deployment/{namespace}/{objects.name(deployment)}"]
    events = (await client.list(refs.EVENTS, namespace)).items
    return [line for pod in pods for line in _pod_reasons(pod, events)]


def _pod_reasons(pod: Object, events: list[Object]) -> Iterator[str]:
    name = objects.name(pod)
    for status in _container_statuses(pod):
        if status.get("ready"):
            continue
        waiting = objects.dig(status, "state.waiting", {})
        last = objects.dig(status, "lastState.terminated", {})
        if waiting.get("reason"):
            yield f"{name}/{status['name']}: {waiting['reason']} {waiting.get('message', '')}".rstrip()
        elif last:
            yield f"{name}/{status['name']}: exited with code {last.get('exitCode')}"
        else:
            yield f"{name}/{status['name']}: running, not ready"
    about = [e for e in events if objects.dig(e, "involvedObject.name") == name]
    warnings = [e for e in about if e.get("type") == "Warning"]
    for event in warnings[-2:]:
        yield f"{name}: {event.get('reason')}: {event.get('message')}"


def _container_statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
