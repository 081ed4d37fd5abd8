"""The entry to ingest: all objects in, one immutable snapshot out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from meshcourse.embedded.istio import model
from meshcourse.embedded.istio.build import jwt
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.ingest import configs, conversion, memory, mesh, registry, workloads
from meshcourse.embedded.kube import objects as kube
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key, Object

#: All objects of each kind, as listed by an informer. A kind may be missing.
Objects = Mapping[refs.Resource, Sequence[Object]]

#: Istio and Gateway API kinds that become `model.Config`.
CONFIG_KINDS: Final = (
    refs.VIRTUALSERVICES,
    refs.DESTINATIONRULES,
    refs.GATEWAYS,
    refs.SERVICEENTRIES,
    refs.SIDECARS,
    refs.WORKLOADENTRIES,
    refs.WORKLOADGROUPS,
    refs.ENVOYFILTERS,
    refs.PROXYCONFIGS,
    refs.PEERAUTHENTICATIONS,
    refs.REQUESTAUTHENTICATIONS,
    refs.AUTHORIZATIONPOLICIES,
    refs.TELEMETRIES,
    refs.WASMPLUGINS,
    refs.K8S_GATEWAYCLASSES,
    refs.K8S_GATEWAYS,
    refs.HTTPROUTES,
    refs.GRPCROUTES,
    refs.TLSROUTES,
    refs.TCPROUTES,
    refs.REFERENCEGRANTS,
    refs.INGRESSES,
    refs.INGRESSCLASSES,
)
#: The kinds that istiod must watch for `snapshot` (where the server has them).
KINDS: Final = (
    refs.NAMESPACES,
    refs.NODES,
    refs.PODS,
    refs.SERVICES,
    refs.ENDPOINTSLICES,
    refs.CONFIGMAPS,
    refs.SECRETS,
    *CONFIG_KINDS,
)


def snapshot(
    objects: Objects,
    previous: model.Snapshot | None = None,
    *,
    keys: Mapping[str, str] | None = None,
) -> model.Snapshot:
    """The mesh as these objects describe it.

    Objects must not be modified afterwards. With `previous` (the last result), everything whose
    source has the same ``uid`` and ``resourceVersion`` is the same Python object as there; if
    nothing changed at all, `previous` itself is returned.

    :param keys: JSON web key sets by URI (see `key_uris`); pass the same object while unchanged.
    """
    known = memory.Memory(previous.sources if previous else {})
    settings = _mesh(objects, known)
    nodes = known.each("nodes", objects.get(refs.NODES, ()), workloads.node_locality)
    pods = known.each(
        "pods", objects.get(refs.PODS, ()), lambda pod: workloads.parse(pod, nodes), nodes
    )
    written = _configs(objects, known)
    found, found_endpoints = registry.build(
        objects.get(refs.SERVICES, ()),
        objects.get(refs.ENDPOINTSLICES, ()),
        written,
        pods,
        known,
        settings,
    )
    spaces = known.each("namespaces", objects.get(refs.NAMESPACES, ()), configs.namespace)
    named = known.derived("spaces", lambda: _by_name(spaces), spaces)
    secrets = known.each("secrets", objects.get(refs.SECRETS, ()), configs.secret)
    roots = known.each("authorities", objects.get(refs.CONFIGMAPS, ()), configs.authority)
    fresh = model.Snapshot(
        mesh=settings,
        namespaces=named,
        services=found,
        endpoints=found_endpoints,
        workloads=pods,
        configs=written,
        secrets=secrets,
        authorities=roots,
        keys=keys if keys is not None else _NO_KEYS,
        converted=conversion.build(
            Context(written, found, found_endpoints, named, secrets, roots, settings), known
        ),
        sources=known.now,
    )
    return previous if previous is not None and _unchanged(previous, fresh) else fresh


def _by_name(spaces: Mapping[Key, model.Namespace]) -> dict[str, model.Namespace]:
    return {key.name: value for key, value in spaces.items()}


def _unchanged(before: model.Snapshot, now: model.Snapshot) -> bool:
    """Whether every part is the same object, apart from what ingest remembers."""
    names = (one.name for one in fields(now) if one.name != "sources")
    return all(getattr(before, name) is getattr(now, name) for name in names)


_NO_KEYS: Final[Mapping[str, str]] = {}


def key_uris(found: model.Snapshot) -> list[str]:
    """The key set URIs of RequestAuthentications, which istiod has to fetch for `snapshot`."""
    rules = (
        rule
        for config in found.of_kind(refs.REQUESTAUTHENTICATIONS)
        for rule in config.spec.get("jwtRules") or []
    )
    return sorted({uri for one in rules if (uri := jwt.key_uri(one))})


def _mesh(objects: Objects, known: memory.Memory) -> model.MeshConfig:
    wanted = Key(mesh.NAMESPACE, mesh.CONFIG_MAP)
    maps = (one for one in objects.get(refs.CONFIGMAPS, ()) if kube.key(one) == wanted)
    found = known.each("mesh", maps, mesh.parse)
    return found.get(wanted) or known.derived("mesh-default", lambda: mesh.parse(None))


def _configs(
    objects: Objects, known: memory.Memory
) -> dict[refs.Resource, tuple[model.Config, ...]]:
    result = {}
    for resource in CONFIG_KINDS:
        name = resource.qualified
        found = known.each(name, objects.get(resource, ()), configs.parse)
        result[resource] = known.derived(f"{name}/sorted", _sorter(found), found)
    return known.derived("configs", lambda: result, *result.values())


def _sorter(found: dict[Key, model.Config]) -> Any:
    return lambda: tuple(sorted(found.values(), key=lambda one: one.age_key))
