"""Certificates for servers and clients outside of the mesh."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority for servers and clients."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("test root", self.key.public_key(), ca=True)
        #: The serial numbers of certificates by name.
        self.leaf_of: dict[str, int] = {}

    def _sign(self, name: str, public: Any, *, ca: bool = False, issuer: Any = None) -> Any:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    @property
    def root(self) -> str:
        return str(self.certificate.public_bytes(serialization.Encoding.PEM).decode())

    def leaf(self, name: str, *, with_rsa: bool = False) -> tuple[str, str]:
        """Certificate and key as PEM."""
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = ec.generate_private_key(
            ec.SECP256R1()
        )
        if with_rsa:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = self._sign(name, key.public_key(), issuer=self.certificate.subject)
        self.leaf_of[name] = certificate.serial_number
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()

    def revoked(self, *serials: int) -> str:
        """A list of revoked certificates."""
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - dt.timedelta(minutes=1))
            .next_update(now + dt.timedelta(hours=1))
        )
        for serial in serials:
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
            builder = builder.add_revoked_certificate(one.build())
        found = builder.sign(self.key, hashes.SHA256())
        return found.public_bytes(serialization.Encoding.PEM).decode()

    def client(
        self, pair: tuple[str, str] | None = None, folder: Path | None = None
    ) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.root)
        if pair is not None and folder is not None:
            path = folder / "client.pem"
            path.write_text("".join(pair))
            context.load_cert_chain(path)
        return context
