"""Discovery documents: which groups, versions and kinds are served.

Source: ``meta.k8s.io/v1`` APIGroupList and APIResourceList, ``apidiscovery.k8s.io/v2`` (aggregated discovery, which
spares a client one request for every group version).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Literal

from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.apiserver.registry.registry import Registry
from meshcourse.embedded.apiserver.schemas.kinds import Subresource
from meshcourse.embedded.kube.objects import Object

AggregatedVersion = Literal["v2", "v2beta1"]


def versions(address: str) -> Object:
    """``/api``."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(registry: Registry) -> Object:
    """``/apis``."""
    groups = [_group(name, found) for name, found in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Object | None:
    """``/apis/<group>``; None if there is no such group."""
    found = registry.groups().get(name)
    if not name or not found:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, found)}


def _group(name: str, found: list[str]) -> Object:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def resource_list(registry: Registry, group: str, version: str) -> Object | None:
    """``/api/v1`` or ``/apis/<group>/<version>``; None if it is not served."""
    kinds = registry.served(group, version)
    if not kinds:
        return None
    found = [entry for kind in kinds for entry in _entries(kind)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": found,
    }


def _entries(kind: Kind) -> Iterator[Object]:
    resource = kind.resource
    entry: Object = {
        "name": resource.plural,
        "singularName": kind.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(kind.verbs),
    }
    yield entry | _names(kind) | _storage_hash(kind)
    for sub in kind.subresources:
        yield _subresource(kind, sub)


def _names(kind: Kind) -> Object:
    found: Object = {}
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    return found


def _storage_hash(kind: Kind) -> Object:
    if "list" not in kind.verbs or "create" not in kind.verbs:
        return {}
    text = f"{kind.storage.group}/{kind.storage.version}/{kind.storage.kind}"
    digest = hashlib.sha256(text.encode()).digest()[:8]
    return {"storageVersionHash": base64.b64encode(digest).decode()}


def _subresource(kind: Kind, sub: Subresource) -> Object:
    entry: Object = {
        "name": f"{kind.resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": kind.resource.namespaced,
    }
    if sub.group:
        entry |= {"group": sub.group, "version": sub.version}
    return entry | {"kind": sub.kind, "verbs": list(sub.verbs)}


def aggregated(registry: Registry, *, legacy: bool, version: AggregatedVersion) -> Object:
    """``/api`` (`legacy`) or ``/apis`` as one document for all groups."""
    groups = registry.groups().items()
    items = [_aggregate(registry, name, found) for name, found in groups if (not name) == legacy]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregate(registry: Registry, name: str, found: list[str]) -> Object:
    meta: Object = {"name": name} if name else {}
    return {
        "metadata": {**meta, "creationTimestamp": None},
        "versions": [
            {
                "version": version,
                "resources": [_resource(kind) for kind in registry.served(name, version)],
                "freshness": "Current",
            }
            for version in found
        ],
    }


def _resource(kind: Kind) -> Object:
    resource = kind.resource
    entry: Object = {
        "resource": resource.plural,
        "responseKind": _gvk(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    } | _names(kind)
    subresources = [_aggregated_subresource(kind, sub) for sub in kind.subresources]
    if subresources:
        entry["subresources"] = subresources
    return entry


def _aggregated_subresource(kind: Kind, sub: Subresource) -> Object:
    group = sub.group or kind.resource.group
    version = sub.version or kind.resource.version
    return {
        "subresource": sub.name,
        "responseKind": _gvk(group, version, sub.kind),
        "verbs": list(sub.verbs),
    }


def _gvk(group: str, version: str, kind: str) -> Object:
    return {"group": group, "version": version, "kind": kind}
