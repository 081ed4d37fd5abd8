"""Configuration objects as written by the user: kind, identity, spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Config:
    """One Istio or Gateway API object. Equality and hash are identity: ingest reuses unchanged
    ones.

    :param kind: ``VirtualService``, ``DestinationRule`` …
    :param created: ``metadata.creationTimestamp`` (RFC 3339, sorts as text; "" sorts first).
    :param spec: the spec as plain JSON; never modified.
    """

    kind: str
    namespace: str
    name: str
    spec: Mapping[str, Any]
    created: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0

    @property
    def qualified(self) -> str:
        """``bookinfo.default``: how Istio names an object in metadata and messages."""
        return f"{self.name}.{self.namespace}"

    @property
    def age_key(self) -> tuple[str, str, str]:
        """Sort key of Istio's conflict rule: oldest first, then by name and namespace."""
        return self.created, self.name, self.namespace


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace's labels and annotations."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Secret:
    """TLS material for gateways; PEM text, "" where absent.

    :param kind: the Secret's ``type`` (``kubernetes.io/tls``, ``Opaque``).
    """

    namespace: str
    name: str
    kind: str
    certificate: str = ""
    key: str = ""
    ca: str = ""
    crl: str = ""
