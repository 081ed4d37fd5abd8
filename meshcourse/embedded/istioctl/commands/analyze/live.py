"""The objects of a running cluster, as far as analyzers look at them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl.analyze import documents
from meshcourse.embedded.istioctl.analyze.item import KUBERNETES_GATEWAY, Item
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

#: Where analyzers' kinds are.
RESOURCES: Final[Mapping[str, Resource]] = {
    one.kind: one
    for one in (
        refs.NAMESPACES,
        refs.NODES,
        refs.PODS,
        refs.SERVICES,
        refs.CONFIGMAPS,
        refs.SECRETS,
        refs.DEPLOYMENTS,
        refs.CRDS,
        refs.MUTATING_WEBHOOKS,
        refs.VALIDATING_WEBHOOKS,
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
        refs.HTTPROUTES,
        refs.GRPCROUTES,
    )
} | {KUBERNETES_GATEWAY: refs.K8S_GATEWAYS}
_REVISION: Final = "istio.io/rev"
_TOKENS: Final = "type!=kubernetes.io/service-account-token,type!=helm.sh/release.v1"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was read."""

    items: list[Item]
    mesh: Mapping[str, Any]


async def read(
    client: Client, kinds: Iterable[str], istio_namespace: str, revision: str = "default"
) -> Cluster:
    """All objects of `kinds`; those of another control plane's revision are left out.

    :raises ApiError: if the cluster cannot be asked. Kinds that it does not know are empty.
    """
    known = [kind for kind in kinds if kind in RESOURCES]
    groups = await asyncio.gather(*(_list(client, kind, istio_namespace) for kind in known))
    items = [
        Item(_typed(RESOURCES[kind], obj))
        for kind, group in zip(known, groups, strict=True)
        for obj in group
        if kind in documents.LIVE_ONLY or _of_revision(obj, revision)
    ]
    return Cluster(items, await mesh_config(client, istio_namespace, revision))


async def _list(client: Client, kind: str, istio_namespace: str) -> list[Object]:
    resource = RESOURCES[kind]
    try:
        if kind == "ConfigMap":
            found = (await client.list(resource, istio_namespace)).items
            return [one for one in found if objects.name(one).startswith("istio")]
        selector = _TOKENS if kind == "Secret" else ""
        return (await client.list(resource, field_selector=selector)).items
    except ApiError as error:
        if error.code == 404:
            return []
        raise


def _typed(resource: Resource, obj: Object) -> Object:
    """Members of a list do not say what they are."""
    return {**obj, "apiVersion": resource.api_version, "kind": resource.kind}


def _of_revision(obj: Object, revision: str) -> bool:
    return objects.labels(obj).get(_REVISION, revision) == revision


async def mesh_config(
    client: Client, istio_namespace: str, revision: str = "default"
) -> Mapping[str, Any]:
    """The MeshConfig of a control plane; {} if Istio is not there."""
    suffix = f"-{revision}" if revision not in ("", "default") else ""
    try:
        found = await client.get(refs.CONFIGMAPS, f"istio{suffix}", istio_namespace)
    except ApiError as error:
        if error.code == 404:
            return {}
        raise
    text = objects.dig(found, "data.mesh", "")
    mesh: Mapping[str, Any] = yaml.safe_load(text) or {}
    return mesh
