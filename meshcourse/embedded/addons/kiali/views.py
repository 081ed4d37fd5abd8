"""Lists as Kiali's API shows them: namespaces, services, workloads, apps, configuration with validations. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from meshcourse.embedded.addons.kiali import mesh as meshes
from meshcourse.embedded.addons.kiali import validations
from meshcourse.embedded.addons.kiali.mesh import CLUSTER, ROOT, Mesh, app_of
from meshcourse.embedded.addons.kiali.validations.codes import Finding, Key
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

Json = dict[str, Any]
#: Health of the members of one namespace, by name.
Health = Mapping[str, Json]


def namespaces(mesh: Mesh) -> list[Json]:
    return [_namespace(obj) for _, obj in sorted(mesh.namespaces.items())]


def _namespace(obj: Object) -> Json:
    labels = objects.labels(obj)
    injected = "default" if labels.get("istio-injection") == "enabled" else ""
    revision = labels.get("istio.io/rev") or injected
    return {
        "name": objects.name(obj),
        "cluster": CLUSTER,
        "isAmbient": labels.get("istio.io/dataplane-mode") == "ambient",
        "isControlPlane": objects.name(obj) == ROOT,
        "labels": labels,
        "annotations": objects.annotations_of(obj),
        **({"revision": revision} if revision else {}),
    }


def services(mesh: Mesh, namespace: str, health: Health) -> list[Json]:
    """Kiali's ServiceOverview of each Service."""
    return [
        _service(mesh, obj, health.get(name, {}))
        for (space, name), obj in sorted(mesh.services.items())
        if space == namespace
    ]


def _service(mesh: Mesh, obj: Object, health: Json) -> Json:
    selector = objects.dig(obj, "spec.selector", {})
    members = mesh.selected(objects.namespace(obj), selector) if selector else []
    return {
        "name": objects.name(obj),
        "namespace": objects.namespace(obj),
        "cluster": CLUSTER,
        "istioSidecar": any(one.sidecar for one in members),
        "isAmbient": False,
        "appLabel": bool(app_of(selector)),
        "labels": objects.labels(obj),
        "selector": selector,
        "ports": {
            str(port.get("name") or ""): int(port["port"])
            for port in objects.dig(obj, "spec.ports", [])
        },
        "serviceRegistry": "Kubernetes",
        "istioReferences": _references(mesh, obj),
        "health": health,
    }


def _references(mesh: Mesh, service: Object) -> list[Json]:
    """Istio objects that name a Service."""
    own = (objects.namespace(service), objects.name(service))
    found = []
    for resource, field in ((refs.VIRTUALSERVICES, "hosts"), (refs.DESTINATIONRULES, "host")):
        for obj in mesh.all(resource):
            said = objects.dig(obj, f"spec.{field}", "")
            for host in [said] if isinstance(said, str) else said:
                parts = [*host.split("."), objects.namespace(obj)]
                if (parts[1], parts[0]) == own:
                    found.append(_key(Key(resource, objects.namespace(obj), objects.name(obj))))
    return found


def workloads(mesh: Mesh, namespace: str, health: Health) -> list[Json]:
    """Kiali's WorkloadListItem of each workload."""
    return [
        {
            "name": one.name,
            "namespace": namespace,
            "cluster": CLUSTER,
            "gvk": _gvk(one.resource),
            "createdAt": one.created,
            "resourceVersion": one.version,
            "istioSidecar": one.sidecar,
            "isAmbient": False,
            "isGateway": one.gateway,
            "isWaypoint": False,
            "isZtunnel": False,
            "labels": dict(one.labels),
            "appLabel": bool(one.app),
            "versionLabel": bool(meshes.version_of(one.labels)),
            "podCount": one.pods,
            "health": health.get(one.name, {}),
        }
        for one in sorted(mesh.workloads_of(namespace), key=lambda one: one.name)
    ]


def apps(mesh: Mesh, namespace: str, health: Health) -> list[Json]:
    """Kiali's AppListItem of each app."""
    return [
        {
            "name": name,
            "namespace": namespace,
            "cluster": CLUSTER,
            "istioSidecar": all(one.sidecar for one in members),
            "isAmbient": False,
            "isGateway": any(one.gateway for one in members),
            "labels": {"app": name},
            "health": health.get(name, {}),
        }
        for name, members in sorted(mesh.apps_of(namespace).items())
    ]


def istio_config(
    mesh: Mesh, within: Collection[str], wanted: Collection[str], *, validate: bool
) -> Json:
    """Objects by kind, with validations.

    :param within: namespaces.
    :param wanted: kinds as Kiali writes them (``networking.istio.io/v1, Kind=Gateway``); empty for all.
    """
    found: Json = {}
    for resource in meshes.CONFIG:
        name = kind_name(resource)
        if not wanted or name in wanted:
            found[name] = [one for one in mesh.all(resource) if objects.namespace(one) in within]
    return {"resources": found, "validations": validation_map(mesh, within) if validate else {}}


def validation_map(mesh: Mesh, within: Collection[str]) -> Json:
    """Every object's validation by kind, then by ``name.namespace``."""
    by_key: dict[Key, list[Finding]] = {
        Key(resource, objects.namespace(obj), objects.name(obj)): []
        for resource in (*meshes.CONFIG, refs.SERVICES)
        for obj in mesh.all(resource)
        if objects.namespace(obj) in within
    }
    for finding in validations.run(mesh):
        if finding.key in by_key:
            by_key[finding.key].append(finding)
    found: Json = {}
    for key, findings in by_key.items():
        kind = "service" if key.resource is refs.SERVICES else kind_name(key.resource)
        found.setdefault(kind, {})[f"{key.name}.{key.namespace}"] = _validation(key, findings)
    return found


def _validation(key: Key, findings: list[Finding]) -> Json:
    references = dict.fromkeys(one for finding in findings for one in finding.references)
    checks = [
        {"code": one.code, "message": one.message, "severity": one.severity, "path": one.path}
        for one in findings
    ]
    return {
        **_key(key),
        "valid": all(one.valid for one in findings),
        "checks": checks,
        "references": [_key(one) for one in references],
    }


def summaries(mesh: Mesh, within: Iterable[str]) -> list[Json]:
    """How many errors and warnings each namespace has, of how many objects."""
    found = validations.run(mesh)
    answer = []
    for namespace in within:
        own = [one.severity for one in found if one.key.namespace == namespace]
        count = sum(len(mesh.within(each, namespace)) for each in meshes.CONFIG)
        answer.append(
            {
                "namespace": namespace,
                "cluster": CLUSTER,
                "errors": own.count("error"),
                "warnings": own.count("warning"),
                "objectCount": count,
            }
        )
    return answer


def kind_name(resource: Resource) -> str:
    """A kind as Go prints it."""
    return f"{resource.group}/{resource.version}, Kind={resource.kind}"


def _gvk(resource: Resource) -> Json:
    return {"Group": resource.group, "Version": resource.version, "Kind": resource.kind}


def _key(key: Key) -> Json:
    return {
        "objectGVK": _gvk(key.resource),
        "name": key.name,
        "namespace": key.namespace,
        "cluster": CLUSTER,
    }
