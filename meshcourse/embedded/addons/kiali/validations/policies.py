"""KIA01xx: AuthorizationPolicies. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any, Final

from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.validations import codes, hosts, mtls
from meshcourse.embedded.addons.kiali.validations.codes import Finding, Key
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object

_METHODS: Final = (
    "CONNECT",
    "DELETE",
    "GET",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "POST",
    "PUT",
    "TRACE",
)
#: What a plain-text caller cannot prove.
_SOURCES: Final = ("principals", "notPrincipals", "namespaces", "notNamespaces")
_CONDITIONS: Final = ("source.namespace", "source.principal", "connection.sni")


def check(mesh: Mesh) -> Iterator[Finding]:
    for obj in mesh.all(refs.AUTHORIZATIONPOLICIES):
        key = codes.key_of(refs.AUTHORIZATIONPOLICIES, obj)
        for number, rule in enumerate(objects.dig(obj, "spec.rules", [])):
            where = f"spec/rules[{number}]"
            yield from _sources(key, rule or {}, where, mesh)
            yield from _operations(key, rule or {}, where, mesh)
        labels = objects.dig(obj, "spec.selector.matchLabels")
        if not mtls.enabled(mesh, key.namespace, labels):
            yield from (codes.found(key, "KIA0105", path) for path in _identities(obj))


def _sources(key: Key, rule: Object, where: str, mesh: Mesh) -> Iterator[Finding]:
    for number, source in _each(rule, "from", "source"):
        start = f"{where}/from[{number}]/source"
        for index, pattern in enumerate(source.get("namespaces") or ()):
            if not any(fnmatch.fnmatchcase(name, pattern) for name in mesh.namespaces):
                yield codes.found(key, "KIA0101", f"{start}/namespaces[{index}]")
        for index, principal in enumerate(source.get("principals") or ()):
            if code := _principal(principal, mesh):
                yield codes.found(key, code, f"{start}/principals[{index}]")


def _each(rule: Object, part: str, inner: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, one in enumerate(rule.get(part) or ()):
        yield number, (one or {}).get(inner) or {}


def _principal(principal: str, mesh: Mesh) -> str:
    """The code for a principal that belongs to no service account ("" for none)."""
    accounts = (
        f"{mesh.trust_domain}/ns/{objects.namespace(one)}/sa/{objects.name(one)}"
        for one in mesh.all(refs.SERVICEACCOUNTS)
    )
    if any(fnmatch.fnmatchcase(account, principal) for account in accounts):
        return ""
    domain, marker, _ = principal.partition("/ns/")
    foreign = marker and "*" not in principal and domain not in (mesh.trust_domain, "cluster.local")
    return "KIA0108" if foreign else "KIA0106"


def _operations(key: Key, rule: Object, where: str, mesh: Mesh) -> Iterator[Finding]:
    for number, operation in _each(rule, "to", "operation"):
        start = f"{where}/to[{number}]/operation"
        for index, method in enumerate(operation.get("methods") or ()):
            if not any(fnmatch.fnmatchcase(one, method.upper()) for one in _METHODS):
                yield codes.found(key, "KIA0102", f"{start}/methods[{index}]")
        for index, host in enumerate(operation.get("hosts") or ()):
            if not _host_exists(host, key.namespace, mesh):
                finding = codes.found(key, "KIA0104", f"{start}/hosts[{index}]")
                yield finding.softened(codes.WARNING) if mesh.allows_any else finding


def _host_exists(host: str, namespace: str, mesh: Mesh) -> bool:
    """Whether a Service has this name; patterns and names of the outside world are just Host headers."""
    parts = host.split(".")
    header = "*" in host or len(parts) > 2 or (len(parts) == 2 and parts[1] not in mesh.namespaces)
    return header or hosts.known(hosts.full(host, namespace, mesh), mesh)


def _identities(obj: Object) -> Iterator[str]:
    """Paths of fields that need a proven identity."""
    for number, rule in enumerate(objects.dig(obj, "spec.rules", [])):
        for index, source in _each(rule, "from", "source"):
            for name in _SOURCES:
                if source.get(name):
                    yield f"spec/rules[{number}]/from[{index}]/source/{name}"
        for index, condition in enumerate((rule or {}).get("when") or ()):
            if condition.get("key") in _CONDITIONS:
                yield f"spec/rules[{number}]/when[{index}]"
