"""KIA0204–0208, 0401, 0501, 0505, 0506: destination rules and peer authentications that disagree. Pure.

Source: Istio's PeerAuthentication (precedence: workload, namespace, mesh) and ClientTLSSettings. With automatic mutual
TLS (the default) nothing needs a counterpart, so the codes for missing ones appear only without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshcourse.embedded.addons.kiali.mesh import ROOT, Mesh, carries
from meshcourse.embedded.addons.kiali.validations import codes, hosts
from meshcourse.embedded.addons.kiali.validations.codes import Finding
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object

_MUTUAL = ("ISTIO_MUTUAL", "MUTUAL")


def check(mesh: Mesh) -> Iterator[Finding]:
    for obj in mesh.all(refs.DESTINATIONRULES):
        yield from _rule(obj, mesh)
        yield from _overrides(obj, mesh)
    for obj in mesh.all(refs.PEERAUTHENTICATIONS):
        yield from _peers(obj, mesh)


def tls_mode(rule: Object) -> str:
    """What a destination rule says about TLS ("" for nothing)."""
    return str(objects.dig(rule, "spec.trafficPolicy.tls.mode", ""))


def is_default(rule: Object) -> bool:
    """Whether a rule turns mutual TLS on for the mesh or for its whole namespace."""
    return _scope(rule) != "" and tls_mode(rule) in _MUTUAL


def _scope(rule: Object) -> str:
    host = objects.dig(rule, "spec.host", "")
    if host == "*.local":
        return "mesh"
    return "namespace" if host == f"*.{objects.namespace(rule)}.svc.cluster.local" else ""


def _mode(obj: Object) -> str:
    """What a PeerAuthentication without further qualification accepts."""
    return str(objects.dig(obj, "spec.mtls.mode", "")).replace("UNSET", "")


def _wide(namespace: str, mesh: Mesh) -> list[str]:
    """The modes of the PeerAuthentications for a whole namespace."""
    return [
        _mode(obj)
        for obj in mesh.within(refs.PEERAUTHENTICATIONS, namespace)
        if not objects.dig(obj, "spec.selector.matchLabels")
    ]


def effective(mesh: Mesh, namespace: str, labels: Mapping[str, str] | None = None) -> str:
    """The mode for a namespace, or for the workloads there that carry `labels`."""
    for obj in mesh.within(refs.PEERAUTHENTICATIONS, namespace) if labels else ():
        chosen = objects.dig(obj, "spec.selector.matchLabels", {})
        if chosen and carries(labels or {}, chosen) and _mode(obj):
            return _mode(obj)
    for modes in (_wide(namespace, mesh), _wide(ROOT, mesh)):
        for mode in filter(None, modes):
            return mode
    return "PERMISSIVE"


def enabled(mesh: Mesh, namespace: str, labels: Mapping[str, str] | None = None) -> bool:
    """Whether callers inside the mesh reach these workloads with mutual TLS."""
    if effective(mesh, namespace, labels) == "DISABLE":
        return False
    return mesh.auto_mtls or any(
        is_default(rule) and (_scope(rule) == "mesh" or objects.namespace(rule) == namespace)
        for rule in mesh.all(refs.DESTINATIONRULES)
    )


def _rule(obj: Object, mesh: Mesh) -> Iterator[Finding]:
    key = codes.key_of(refs.DESTINATIONRULES, obj)
    scope, mode = _scope(obj), tls_mode(obj)
    own = _wide(key.namespace, mesh) if scope == "namespace" else []
    roots, code = _wide(ROOT, mesh), ""
    if scope and mode in _MUTUAL and not mesh.auto_mtls:
        if not any(one in ("STRICT", "PERMISSIVE") for one in own + roots):
            code = "KIA0205" if scope == "mesh" else "KIA0206"
    elif scope and mode == "DISABLE":
        if "STRICT" in own:
            code = "KIA0207"
        elif "STRICT" in roots and not any(own):
            code = "KIA0208"
    if code:
        yield codes.found(key, code, "spec/trafficPolicy/tls/mode")


def _overrides(obj: Object, mesh: Mesh) -> Iterator[Finding]:
    """A rule for one host replaces a wider one as a whole: one that says nothing of TLS loses what that one said."""
    policy = objects.dig(obj, "spec.trafficPolicy", {})
    own = policy.get("tls") or any(
        each.get("tls") for each in policy.get("portLevelSettings") or ()
    )
    if own or is_default(obj):
        return
    key = codes.key_of(refs.DESTINATIONRULES, obj)
    host = hosts.full(objects.dig(obj, "spec.host", ""), key.namespace, mesh)
    service = hosts.service_of(host)
    wider = [
        codes.key_of(refs.DESTINATIONRULES, rule)
        for rule in mesh.all(refs.DESTINATIONRULES)
        if is_default(rule)
        and (_scope(rule) == "mesh" or (service and objects.namespace(rule) == service[0]))
    ]
    if wider:
        yield codes.found(key, "KIA0204", "spec/trafficPolicy", *wider)


def _peers(obj: Object, mesh: Mesh) -> Iterator[Finding]:
    key = codes.key_of(refs.PEERAUTHENTICATIONS, obj)
    if objects.dig(obj, "spec.selector.matchLabels"):
        return
    mesh_wide = key.namespace == ROOT
    rules = [
        rule
        for rule in mesh.all(refs.DESTINATIONRULES)
        if is_default(rule)
        and (_scope(rule) == "mesh" or (not mesh_wide and objects.namespace(rule) == key.namespace))
    ]
    if _mode(obj) == "STRICT" and not mesh.auto_mtls and not rules:
        yield codes.found(key, "KIA0401" if mesh_wide else "KIA0501", "spec/mtls")
    if _mode(obj) == "DISABLE" and rules:
        yield codes.found(key, "KIA0506" if mesh_wide else "KIA0505", "spec/mtls")
