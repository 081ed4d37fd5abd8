"""The cluster's own certificate authority, its serving certificate, and keys.

Everything is made once and kept in the state directory, readable by the owner only. Elliptic keys (P-256): making one
takes less than a millisecond.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEARS = dt.timedelta(days=3650)
_SKEW = dt.timedelta(minutes=5)
_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate (with its chain) and its key, both PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pki:
    """What the server needs of the state directory."""

    ca: Path
    serving: Identity
    token_key: ec.EllipticCurvePrivateKey
    admin_token: str


def load(folder: Path, addresses: Sequence[str]) -> Pki:
    """Read what there is in `folder` and make what is missing.

    :param addresses: IP addresses that the serving certificate is good for, besides localhost.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_path, ca_key_path = folder / "ca.crt", folder / "ca.key"
    serving = Identity(folder / "apiserver.crt", folder / "apiserver.key")
    if not serving.key.exists():
        ca, ca_key = _make_ca()
        write(ca_key_path, _key_pem(ca_key))
        write(ca_path, _pem(ca))
        _make_serving(serving, ca, ca_key, addresses)
    token_key = _load_key(folder / "sa.key")
    return Pki(ca_path, serving, token_key, _admin_token(folder / "admin.token"))


def client_identity(folder: Path, user: str, groups: Sequence[str] = ()) -> tuple[bytes, bytes]:
    """A client certificate and key (PEM) for a user, signed by the CA in `folder`."""
    ca = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    ca_key = _read_key(folder / "ca.key")
    key = _new_key()
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = _builder(x509.Name(names), ca.subject, key)
    certificate = builder.add_extension(usage, critical=False).sign(ca_key, hashes.SHA256())
    return _pem(certificate), _key_pem(key)


def write(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:  # mkstemp makes files 0600
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _make_ca() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = _new_key()
    # A name of its own for every CA, or clients that trust two clusters mix them up.
    subject = _name(f"meshcourse-ca-{secrets.token_hex(4)}")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _make_serving(
    identity: Identity,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    addresses: Sequence[str],
) -> None:
    key = _new_key()
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1", *addresses)]
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = (
        _builder(_name("kube-apiserver"), ca.subject, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(usage, critical=False)
        .add_extension(issuer, critical=False)
    )
    certificate = builder.sign(ca_key, hashes.SHA256())
    write(identity.certificate, _pem(certificate) + _pem(ca))
    write(identity.key, _key_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _YEARS)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        write(path, _key_pem(_new_key()))
    return _read_key(path)


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds no elliptic key")
    return key


def _admin_token(path: Path) -> str:
    if not path.exists():
        write(path, secrets.token_urlsafe(32).encode())
    return path.read_text().strip()
