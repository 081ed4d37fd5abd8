"""``kubectl describe`` for pods, services, deployments; every other kind as the tree of its fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from meshcourse.cluster.kinds import EVENT, REPLICASET
from meshcourse.cluster.manifests import Object, dig, name_of, namespace_of
from meshcourse.kubectl import describe_containers, naming
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.naming import Target
from meshcourse.kubectl.page import Page, date, since

FLAGS = (Flag("show-events", "", "switch"), Flag("all", "", "switch"), Flag("chunk-size"))


def run(context: Context) -> int:
    context.args.flags.setdefault("all", ["true"])  # `describe pods` means all of them
    found = naming.resolve(context, context.args.words)
    if not found:
        context.say(f"No resources found in {context.namespace} namespace.")
    for number, (target, obj) in enumerate(found):
        if number:
            context.write("\n\n")
        context.write(_page(context, target, obj).text())
    return 0


def _page(context: Context, target: Target, obj: Object) -> Page:
    page = Page()
    _KINDS.get(target.kind.kind, _generic)(context, page, obj)
    if context.args.on("show-events", default=True):
        page.events(_events(context, obj))
    return page


def _events(context: Context, obj: Object) -> list[Object]:
    selector = f"involvedObject.name={name_of(obj)},involvedObject.uid={obj['metadata']['uid']}"
    if namespace_of(obj):
        selector += f",involvedObject.namespace={namespace_of(obj)}"
    path = EVENT.path(namespace_of(obj))
    items: list[Object] = context.cluster.api.get(path, fieldSelector=selector)["items"]
    return items


def _pod(context: Context, page: Page, pod: Object) -> None:
    del context
    spec, status = pod["spec"], pod.get("status") or {}
    page.line(0, f"Name:\t{name_of(pod)}")
    page.line(0, f"Namespace:\t{namespace_of(pod)}")
    if "priority" in spec:
        page.line(0, f"Priority:\t{spec['priority']}")
    if spec.get("serviceAccountName"):
        page.line(0, f"Service Account:\t{spec['serviceAccountName']}")
    node = f"{spec['nodeName']}/{status.get('hostIP', '')}" if spec.get("nodeName") else "<none>"
    page.line(0, f"Node:\t{node}")
    if status.get("startTime"):
        page.line(0, f"Start Time:\t{date(status['startTime'])}")
    page.labels("Labels", dig(pod, "metadata.labels"))
    page.annotations("Annotations", dig(pod, "metadata.annotations"))
    _pod_phase(page, pod)
    page.line(0, f"IP:\t{status.get('podIP', '')}")
    addresses = status.get("podIPs") or []
    page.line(0, "IPs:" if addresses else "IPs:\t<none>")
    for address in addresses:
        page.line(1, f"IP:\t{address['ip']}")
    if owner := _controller(pod):
        page.line(0, f"Controlled By:\t{owner}")
    _pod_containers(page, pod)
    if status.get("conditions"):
        page.line(0, "Conditions:")
        page.line(1, "Type\tStatus")
        for item in status["conditions"]:
            page.line(1, f"{item['type']} \t{item['status']} ")
    describe_containers.volumes(page, spec.get("volumes") or [])
    page.line(0, f"QoS Class:\t{status.get('qosClass', 'BestEffort')}")
    page.labels("Node-Selectors", spec.get("nodeSelector"))
    page.tolerations("Tolerations", spec.get("tolerations") or [])


def _pod_phase(page: Page, pod: Object) -> None:
    status = pod.get("status") or {}
    if leaving := dig(pod, "metadata.deletionTimestamp"):
        page.line(0, f"Status:\tTerminating (lasts {since(leaving)})")
        seconds = dig(pod, "metadata.deletionGracePeriodSeconds", 0)
        page.line(0, f"Termination Grace Period:\t{seconds}s")
    else:
        page.line(0, f"Status:\t{status.get('phase', '')}")
    for name in ("reason", "message"):
        if status.get(name):
            page.line(0, f"{name.capitalize()}:\t{status[name]}")


def _pod_containers(page: Page, pod: Object) -> None:
    for title, field, statuses in (
        ("Init Containers", "spec.initContainers", "status.initContainerStatuses"),
        ("Containers", "spec.containers", "status.containerStatuses"),
    ):
        if items := dig(pod, field, []):
            describe_containers.containers(page, title, items, dig(pod, statuses, []), pod)


def _controller(obj: Object) -> str:
    for owner in dig(obj, "metadata.ownerReferences", []):
        if owner.get("controller"):
            return f"{owner['kind']}/{owner['name']}"
    return ""


def _service(context: Context, page: Page, service: Object) -> None:
    spec = service["spec"]
    page.line(0, f"Name:\t{name_of(service)}")
    page.line(0, f"Namespace:\t{namespace_of(service)}")
    page.labels("Labels", dig(service, "metadata.labels"))
    page.annotations("Annotations", dig(service, "metadata.annotations"))
    page.line(0, f"Selector:\t{_selector(spec.get('selector'))}")
    page.line(0, f"Type:\t{spec.get('type', '')}")
    if spec.get("ipFamilyPolicy"):
        page.line(0, f"IP Family Policy:\t{spec['ipFamilyPolicy']}")
    page.line(0, f"IP Families:\t{','.join(spec.get('ipFamilies') or []) or '<none>'}")
    page.line(0, f"IP:\t{spec.get('clusterIP', '')}")
    page.line(0, f"IPs:\t{','.join(spec.get('clusterIPs') or []) or '<none>'}")
    if spec.get("externalName"):
        page.line(0, f"External Name:\t{spec['externalName']}")
    if balancers := dig(service, "status.loadBalancer.ingress", []):
        page.line(0, f"LoadBalancer Ingress:\t{', '.join(map(_balancer, balancers))}")
    slices = _slices(context, service)
    for port in spec.get("ports") or []:
        _service_port(page, port, slices)
    page.line(0, f"Session Affinity:\t{spec.get('sessionAffinity', 'None')}")
    for title, key in (
        ("External", "externalTrafficPolicy"),
        ("Internal", "internalTrafficPolicy"),
    ):
        if spec.get(key):
            page.line(0, f"{title} Traffic Policy:\t{spec[key]}")


def _service_port(page: Page, port: dict[str, Any], slices: list[Object]) -> None:
    name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
    page.line(0, f"Port:\t{name}\t{port['port']}/{protocol}")
    page.line(0, f"TargetPort:\t{port.get('targetPort', port['port'])}/{protocol}")
    if port.get("appProtocol"):
        page.line(0, f"AppProtocol:\t{port['appProtocol']}")
    if port.get("nodePort"):
        page.line(0, f"NodePort:\t{name}\t{port['nodePort']}/{protocol}")
    page.line(0, f"Endpoints:\t{_endpoints(slices, port.get('name') or '')}")


def _slices(context: Context, service: Object) -> list[Object]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace_of(service)}/endpointslices"
    selector = f"kubernetes.io/service-name={name_of(service)}"
    items: list[Object] = context.cluster.api.get(path, labelSelector=selector)["items"]
    return items


def _endpoints(slices: list[Object], port: str, most: int = 3) -> str:
    """``10.0.0.1:9080,10.0.0.2:9080 + 3 more...``: the ready ones."""
    if not slices:
        return "<none>"
    found = [
        f"{address}:{item['port']}"
        for piece in slices
        for item in piece.get("ports") or []
        if (item.get("name") or "") == port
        for endpoint in piece.get("endpoints") or []
        if dig(endpoint, "conditions.ready", True)
        for address in endpoint["addresses"]
    ]
    more = f" + {len(found) - most} more..." if len(found) > most else ""
    return ",".join(found[:most]) + more


def _balancer(item: dict[str, Any]) -> str:
    mode = f" ({item['ipMode']})" if item.get("ipMode") else ""
    return f"{item['ip']}{mode}" if item.get("ip") else str(item.get("hostname", ""))


def _deployment(context: Context, page: Page, obj: Object) -> None:
    spec, status = obj["spec"], obj.get("status") or {}
    page.line(0, f"Name:\t{name_of(obj)}")
    page.line(0, f"Namespace:\t{namespace_of(obj)}")
    page.line(0, f"CreationTimestamp:\t{date(obj['metadata']['creationTimestamp'])}")
    page.labels("Labels", dig(obj, "metadata.labels"))
    page.annotations("Annotations", dig(obj, "metadata.annotations"))
    page.line(0, f"Selector:\t{_selector(dig(spec, 'selector.matchLabels', {}))}")
    page.line(
        0,
        f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('updatedReplicas', 0)} updated | "
        f"{status.get('replicas', 0)} total | {status.get('availableReplicas', 0)} available | "
        f"{status.get('unavailableReplicas', 0)} unavailable",
    )
    page.line(0, f"StrategyType:\t{dig(spec, 'strategy.type', 'RollingUpdate')}")
    page.line(0, f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}")
    if rolling := dig(spec, "strategy.rollingUpdate"):
        page.line(
            0,
            f"RollingUpdateStrategy:\t{rolling['maxUnavailable']} max unavailable, {rolling['maxSurge']} max surge",
        )
    _template(page, spec["template"])
    if status.get("conditions"):
        page.line(0, "Conditions:")
        page.line(1, "Type\tStatus\tReason")
        page.line(1, "----\t------\t------")
        for item in status["conditions"]:
            page.line(1, f"{item['type']} \t{item['status']}\t{item.get('reason', '')}")
    _replica_sets(context, page, obj)


def _template(page: Page, template: Object) -> None:
    spec = template["spec"]
    page.line(0, "Pod Template:")
    page.labels("  Labels", dig(template, "metadata.labels"))
    if dig(template, "metadata.annotations"):
        page.annotations("  Annotations", template["metadata"]["annotations"])
    if spec.get("serviceAccountName"):
        page.line(1, f"Service Account:\t{spec['serviceAccountName']}")
    for title, field in (("Init Containers", "initContainers"), ("Containers", "containers")):
        if spec.get(field):
            describe_containers.containers(page, title, spec[field], [], None, "  ")
    describe_containers.volumes(page, spec.get("volumes") or [], "  ")
    page.labels("  Node-Selectors", spec.get("nodeSelector"))
    page.tolerations("  Tolerations", spec.get("tolerations") or [])


def _replica_sets(context: Context, page: Page, obj: Object) -> None:
    """The replica sets of the newest template, and the others."""
    revision = "deployment.kubernetes.io/revision"
    uid = obj["metadata"]["uid"]
    owned = [
        item
        for item in context.cluster.api.get(REPLICASET.path(namespace_of(obj)))["items"]
        if any(owner["uid"] == uid for owner in dig(item, "metadata.ownerReferences", []))
    ]
    if not owned:
        return
    owned.sort(key=lambda item: int(dig(item, "metadata.annotations", {}).get(revision, 0)))
    *old, new = owned
    page.line(0, f"OldReplicaSets:\t{', '.join(map(_replica_set, old)) or '<none>'}")
    page.line(0, f"NewReplicaSet:\t{_replica_set(new)}")


def _replica_set(item: Object) -> str:
    want, have = dig(item, "spec.replicas", 1), dig(item, "status.replicas", 0)
    return f"{name_of(item)} ({have}/{want} replicas created)"


def _generic(context: Context, page: Page, obj: Object) -> None:
    """Custom resources and whatever has no page of its own: every field, in words."""
    del context
    page.line(0, f"Name:\t{name_of(obj)}")
    page.line(0, f"Namespace:\t{namespace_of(obj)}")
    page.labels("Labels", dig(obj, "metadata.labels"))
    page.annotations("Annotations", dig(obj, "metadata.annotations"))
    page.line(0, f"API Version:\t{obj.get('apiVersion', '')}")
    page.line(0, f"Kind:\t{obj.get('kind', '')}")
    _tree(page, 0, {"metadata": _generic_metadata(obj)})
    rest = {key: obj[key] for key in obj if key not in ("metadata", "apiVersion", "kind")}
    _tree(page, 0, rest)


def _generic_metadata(obj: Object) -> Object:
    shown = ("creationTimestamp", "generation", "resourceVersion", "uid")
    return {key: obj["metadata"][key] for key in shown if key in obj["metadata"]}


def _tree(page: Page, level: int, value: dict[str, Any]) -> None:
    for key, item in sorted(value.items()):
        title = _title(key)
        if isinstance(item, dict):
            page.line(level, f"{title}:")
            _tree(page, level + 1, item)
        elif isinstance(item, list):
            page.line(level, f"{title}:")
            for element in item:
                if isinstance(element, dict):
                    _tree(page, level + 1, element)
                else:
                    page.line(level + 1, str(element))
        else:
            text = str(item).lower() if isinstance(item, bool) else str(item)
            page.line(level, f"{title}:\t{text}")


def _title(key: str) -> str:
    """``creationTimestamp`` → ``Creation Timestamp``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key)
    return "UID" if key == "uid" else words[:1].upper() + words[1:]


def _selector(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


_KINDS: dict[str, Callable[[Context, Page, Object], None]] = {
    "Pod": _pod,
    "Service": _service,
    "Deployment": _deployment,
}
