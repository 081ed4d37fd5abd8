"""SPIFFE identities: ``spiffe://cluster.local/ns/default/sa/reviews``. Pure.

Source: SPIFFE-ID standard, Istio "Istio identity".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_SCHEME = "spiffe://"
_ACCOUNT_PREFIX = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Identity:
    """A service account of a trust domain."""

    trust_domain: str
    namespace: str
    service_account: str

    def __str__(self) -> str:
        return f"{_SCHEME}{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"


def parse(text: str) -> Identity | None:
    """The identity that a URI stands for; None if it is not one of Istio's form."""
    parts = text.removeprefix(_SCHEME).split("/")
    if not text.startswith(_SCHEME) or len(parts) != 5 or not all(parts):
        return None
    if parts[1] != "ns" or parts[3] != "sa":
        return None
    return Identity(parts[0], parts[2], parts[4])


def of_user(username: str, trust_domain: str) -> Identity | None:
    """The identity of ``system:serviceaccount:NAMESPACE:NAME``; None for any other user."""
    parts = username.removeprefix(_ACCOUNT_PREFIX).split(":")
    if not username.startswith(_ACCOUNT_PREFIX) or len(parts) != 2 or not all(parts):
        return None
    return Identity(trust_domain, *parts)


def matching(uris: Iterable[str], namespace: str, service_account: str) -> Identity | None:
    """The first identity that is the service account a proxy says it runs as ("" is not checked)."""
    for uri in uris:
        identity = parse(uri)
        if identity is None or (namespace and identity.namespace != namespace):
            continue
        if service_account and identity.service_account != service_account:
            continue
        return identity
    return None
