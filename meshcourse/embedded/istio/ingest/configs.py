"""Istio and Gateway API objects → `Config`; Namespaces; TLS Secrets."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from meshcourse.embedded.istio.model import Config, Namespace, Secret
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

#: Secret types that may hold what a Gateway's ``credentialName`` refers to.
_SECRET_TYPES: Final = frozenset(("kubernetes.io/tls", "Opaque", "generic", ""))


def parse(obj: Object) -> Config:
    """One configuration object."""
    meta = objects.meta(obj)
    return Config(
        kind=str(obj.get("kind") or ""),
        namespace=objects.namespace(obj),
        name=objects.name(obj),
        spec=obj.get("spec") or {},
        created=meta.get("creationTimestamp") or "",
        uid=objects.uid(obj),
        resource_version=str(meta.get("resourceVersion") or ""),
        labels=objects.labels(obj),
        annotations=objects.annotations_of(obj),
        generation=int(meta.get("generation") or 0),
    )


def namespace(obj: Object) -> Namespace:
    """One Namespace."""
    return Namespace(objects.name(obj), objects.labels(obj), objects.annotations_of(obj))


def secret(obj: Object) -> Secret | None:
    """TLS material of a Secret, None if it holds none.

    Source: istio.io "Secure Gateways": ``tls.crt``/``tls.key``/``ca.crt`` or
    ``cert``/``key``/``cacert``.
    """
    kind, data = str(obj.get("type") or ""), obj.get("data") or {}
    if kind not in _SECRET_TYPES:
        return None
    found = Secret(
        namespace=objects.namespace(obj),
        name=objects.name(obj),
        kind=kind,
        certificate=_text(data, "tls.crt", "cert"),
        key=_text(data, "tls.key", "key"),
        ca=_text(data, "ca.crt", "cacert"),
        crl=_text(data, "ca.crl", "crl"),
    )
    return found if found.certificate or found.ca else None


def authority(obj: Object) -> Secret | None:
    """The certificate authority in a ConfigMap (``ca.crt``), None if it has none."""
    found = str((obj.get("data") or {}).get("ca.crt") or "")
    if not found:
        return None
    return Secret(objects.namespace(obj), objects.name(obj), "ConfigMap", ca=found)


def _text(data: Object, *keys: str) -> str:
    value = next((data[key] for key in keys if data.get(key)), "")
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return ""
