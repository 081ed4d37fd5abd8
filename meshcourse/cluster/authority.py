"""A certificate authority for lessons: servers outside the mesh need certificates that somebody has signed. Pure.

The root's key lives as long as the object, and signs nothing afterwards.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

#: How long its certificates are valid.
VALID = dt.timedelta(days=365)


class Authority:
    """One authority.

    :param name: how it calls itself.
    """

    def __init__(self, name: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = self._sign(name, self._key.public_key(), ca=True)

    @property
    def root(self) -> str:
        """Its own certificate (PEM): what those need who want to trust it."""
        return _pem(self._root)

    def server(self, host: str) -> tuple[str, str]:
        """Certificate and private key (PEM) of a server with this name."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        written = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(self._sign(host, key.public_key(), ca=False)), written.decode()

    def _sign(self, name: str, public: Any, *, ca: bool) -> Any:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        def named(common: str) -> Any:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])

        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self.name))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + VALID)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    return str(certificate.public_bytes(serialization.Encoding.PEM).decode())
