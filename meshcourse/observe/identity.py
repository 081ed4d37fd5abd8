"""Who a workload is: the certificate that its Envoy holds, read from ``istioctl proxy-config secret -o json``. Pure.

The identity is the URI among the subject's alternative names, ``spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT``
(SPIFFE's X.509-SVID); Istio leaves the subject itself empty.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from meshcourse.cluster.errors import ClusterError

#: The name under which Envoy keeps the workload's own certificate.
OWN = "default"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says.

    :param identity: the SPIFFE id, "" if it has none.
    :param serial: in hexadecimal, as istioctl prints it.
    """

    identity: str
    issuer: str
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    key: str = ""

    @property
    def lifetime(self) -> dt.timedelta:
        return self.not_after - self.not_before

    def __repr__(self) -> str:
        hours = f"{self.lifetime.total_seconds() / 3600:.0f} hours"
        begin, end = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (self.not_before, self.not_after))
        rows = {
            "identity": self.identity or "none",
            "issued by": self.issuer,
            "key": self.key,
            "serial": self.serial,
            "valid": f"{begin} to {end} UTC ({hours})",
        }
        return "\n".join(f"{name:<10} {value}" for name, value in rows.items())


def read(pem: bytes) -> Certificate:
    """The first certificate of a chain.

    :raises ClusterError: if there is none.
    """
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise ClusterError(f"this is no certificate: {error}") from error
    return Certificate(
        _identity(found),
        found.issuer.rfc4514_string() or "nobody",
        f"{found.serial_number:x}",
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        _key(found.public_key()),
    )


def of_secrets(text: str, name: str = OWN) -> Certificate:
    """The certificate with a name out of istioctl's JSON, whichever way its field names are spelt.

    :raises ClusterError: if Envoy holds none of that name.
    """
    for secret in _secrets(json.loads(text)):
        chain = _get(_get(secret, "tls_certificate"), "certificate_chain")
        if secret.get("name") == name and chain:
            return read(_pem(chain))
    raise ClusterError(
        f'Envoy holds no certificate called "{name}"',
        remedy="`%istioctl proxy-config secret` lists what it holds.",
    )


def _identity(found: Any) -> str:
    from cryptography import x509

    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return str(uris[0]) if uris else ""


def _key(key: Any) -> str:
    curve = getattr(key, "curve", None)
    return f"EC {curve.name}" if curve else f"RSA {key.key_size}"


def _secrets(dump: Any) -> Iterator[dict[str, Any]]:
    for item in _get(dump, "dynamic_active_secrets") or []:
        yield item.get("secret") or {}


def _pem(source: dict[str, Any]) -> bytes:
    encoded = _get(source, "inline_bytes")
    return (
        base64.b64decode(encoded) if encoded else str(_get(source, "inline_string") or "").encode()
    )


def _get(value: Any, name: str) -> Any:
    """A field by its proto name, or by its JSON name (camelCase)."""
    if not isinstance(value, dict):
        return None
    head, *rest = name.split("_")
    return value.get(name, value.get(head + "".join(word.capitalize() for word in rest)))
