"""What can be said about a pod, its services and its mutual TLS, in lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from meshcourse import versions
from meshcourse.embedded.istioctl.analyze import services, workloads
from meshcourse.embedded.istioctl.commands.experimental.describe import text
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_REQUIREMENTS: Final = (
    f"https://istio.io/v{versions.ISTIO.rpartition('.')[0]}/docs/ops/deployment/requirements/"
)
_PROXY: Final = "istio-proxy"
_NAMES: Final = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
_REVISIONS: Final = (
    "service.istio.io/canonical-revision",
    "app.kubernetes.io/version",
    "version",
)
_INHERIT: Final = ("", "UNSET", None)


def revision(pod: Object) -> str:
    """The control plane that injected a pod; "" if none did."""
    notes = objects.annotations_of(pod)
    if "istio.io/rev" in notes:
        return notes["istio.io/rev"]
    try:
        return str(json.loads(notes.get("sidecar.istio.io/status", "{}")).get("revision") or "")
    except ValueError:
        return ""


def containers(pod: Object) -> list[Object]:
    """Containers, and init containers that are proxies (native sidecars)."""
    init = objects.dig(pod, "spec.initContainers", [])
    return [
        *objects.dig(pod, "spec.containers", []),
        *(one for one in init if one.get("name") == _PROXY),
    ]


def meshed(pod: Object) -> bool:
    return any(one.get("name") == _PROXY for one in containers(pod))


def pod(found: Object, home: str, *, unmeshed_too: bool) -> Iterator[str]:
    """:param unmeshed_too: say nothing about a missing sidecar."""
    if workloads.reserved({"containers": containers(found)}):
        yield "WARNING: User ID (UID) 1337 is reserved for the sidecar proxy."
    name = text.name(found, home)
    yield f"Pod: {name}"
    yield f"   Pod Revision: {revision(found)}"
    ports = ", ".join(_ports(found))
    yield f"   Pod Ports: {ports}" if ports else "   Pod does not expose ports"
    phase = objects.dig(found, "status.phase", "")
    if phase != "Running":
        yield f"   Pod is not Running ({phase})"
        return
    for field, title in (("containerStatuses", ""), ("initContainerStatuses", "Init ")):
        for one in objects.dig(found, f"status.{field}", []):
            if not one.get("ready"):
                yield f"WARNING: Pod {name} {title}Container {one['name']} NOT READY"
    if not unmeshed_too:
        yield from _membership(found, name)


def _ports(found: Object) -> Iterator[str]:
    for container in objects.dig(found, "spec.containers", []):
        for port in container.get("ports") or ():
            protocol = port.get("protocol", "TCP")
            suffix = "" if protocol == "TCP" else f"/{protocol}"
            yield f"{port['containerPort']}{suffix} ({container['name']})"


def _membership(found: Object, name: str) -> Iterator[str]:
    if not meshed(found):
        yield f"WARNING: {name} is not part of mesh; no Istio sidecar"
        return
    if objects.dig(found, "spec.securityContext.runAsUser") == workloads.PROXY_USER:
        yield "   WARNING: User ID (UID) 1337 is reserved for the sidecar proxy."
    labels = objects.labels(found)
    for keys, title in ((_NAMES, "name"), (_REVISIONS, "revision")):
        if not any(key in labels for key in keys):
            yield (
                f"Suggestion: add required service {title} label for Istio telemetry. "
                f"See {_REQUIREMENTS}."
            )


def service(found: Object, selected: Object, home: str) -> Iterator[str]:
    """A service, and which of the pod's ports its own lead to."""
    yield f"Service: {text.name(found, home)}"
    for port in objects.dig(found, "spec.ports", []):
        if port.get("protocol", "TCP") != "TCP":
            continue
        target = target_port(selected, port)
        if target is None:
            yield f"   no suitable port for manifest: {objects.uid(selected)}"
        else:
            name, number = port.get("name", ""), port["port"]
            yield f"   Port: {name} {number}/{protocol(port)} targets pod port {target}"


def protocol(port: Object) -> str:
    unnamed = not port.get("name") and port.get("appProtocol") is None
    return "auto-detect" if unnamed else services.protocol(port)


def target_port(selected: Object, port: Object) -> int | None:
    """The number of the container port that a service's port means."""
    target = port.get("targetPort") or port["port"]
    if not isinstance(target, str):
        return int(target)
    for container in containers(selected):
        for one in container.get("ports") or ():
            if one.get("name") == target and one.get("protocol", "TCP") == "TCP":
                return int(one["containerPort"])
    return None


def peer_authentication(found: Sequence[Object], labels: Any, root: str) -> Iterator[str]:
    """What is in force for a pod.

    :param found: PeerAuthentications of the root namespace and of the pod's, in that order.
    """
    matching = [one for one in found if _selector(one).items() <= labels.items()]
    mode = "PERMISSIVE"
    for level in _levels(matching, root):
        said = objects.dig(level, "spec.mtls.mode", "") if level else ""
        mode = mode if said in _INHERIT else said
    own = _levels(matching, root)[-1]
    ports = objects.dig(own, "spec.portLevelMtls", {}) if own else {}
    yield "Effective PeerAuthentication:"
    yield f"   Workload mTLS mode: {mode}"
    if ports:
        yield "   Port Level mTLS mode:"
    for number, one in sorted(ports.items(), key=lambda pair: int(pair[0])):
        said = one.get("mode")
        yield f"      {number}: {mode if said in _INHERIT else said}"
    if matching:
        yield "Applied PeerAuthentication:"
        names = (f"{objects.name(one)}.{objects.namespace(one)}" for one in matching)
        yield f"   {', '.join(names)}"


def _selector(policy: Object) -> dict[str, str]:
    labels: dict[str, str] = objects.dig(policy, "spec.selector.matchLabels", {})
    return labels


def _levels(matching: Sequence[Object], root: str) -> list[Object | None]:
    """The oldest of the mesh, of the namespace, of the workload."""
    ordered = sorted(matching, key=lambda one: objects.dig(one, "metadata.creationTimestamp", ""))
    mesh = (o for o in ordered if objects.namespace(o) == root and not _selector(o))
    whole = (o for o in ordered if objects.namespace(o) != root and not _selector(o))
    own = (o for o in ordered if objects.namespace(o) != root and _selector(o))
    return [next(mesh, None), next(whole, None), next(own, None)]
