"""KIA0002–0004: objects that select workloads. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from meshcourse.embedded.addons.kiali.mesh import ROOT, Mesh, carries
from meshcourse.embedded.addons.kiali.validations import codes
from meshcourse.embedded.addons.kiali.validations.codes import Finding, Key
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.refs import Resource

#: Where each kind keeps its selector.
_SELECTORS: Final = {
    refs.AUTHORIZATIONPOLICIES: "selector.matchLabels",
    refs.PEERAUTHENTICATIONS: "selector.matchLabels",
    refs.REQUESTAUTHENTICATIONS: "selector.matchLabels",
    refs.TELEMETRIES: "selector.matchLabels",
    refs.WASMPLUGINS: "selector.matchLabels",
    refs.SIDECARS: "workloadSelector.labels",
}
#: Kinds of which only one object may apply to a workload.
_EXCLUSIVE: Final = (refs.PEERAUTHENTICATIONS, refs.SIDECARS)


def check(mesh: Mesh) -> Iterator[Finding]:
    for resource, path in _SELECTORS.items():
        chosen = {
            codes.key_of(resource, obj): objects.dig(obj, f"spec.{path}", {})
            for obj in mesh.all(resource)
        }
        yield from _nothing(chosen, path, mesh)
        if resource in _EXCLUSIVE:
            yield from _twice(resource, chosen, mesh)


def _nothing(chosen: Mapping[Key, Mapping[str, str]], path: str, mesh: Mesh) -> Iterator[Finding]:
    for key, labels in chosen.items():
        # In the root namespace a selector looks at all namespaces.
        scope = "" if key.namespace == ROOT else key.namespace
        if labels and not mesh.selected(scope, labels):
            yield codes.found(key, "KIA0004", f"spec/{path.replace('.', '/')}").softened(
                codes.WARNING
            )


def _twice(
    resource: Resource, chosen: Mapping[Key, Mapping[str, str]], mesh: Mesh
) -> Iterator[Finding]:
    path = f"spec/{_SELECTORS[resource].partition('.')[0]}"
    for key, labels in chosen.items():
        peers = [one for one in chosen if one.namespace == key.namespace and one != key]
        if not labels:
            if others := [one for one in peers if not chosen[one]]:
                yield codes.found(key, "KIA0002", path, *others)
            continue
        targets = mesh.selected(key.namespace, labels)
        if others := [
            one
            for one in peers
            if chosen[one] and any(carries(target.labels, chosen[one]) for target in targets)
        ]:
            yield codes.found(key, "KIA0003", path, *others)
