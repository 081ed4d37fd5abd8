"""Keys and certificates: the self-signed root, and leaves with an identity the caller has proved.

Source: Istio's Citadel, now part of istiod: SPIFFE URI as critical subject alternative name, no
subject, server and client authentication, two minutes of allowance for clocks that disagree.
P-256 throughout (Istio: ``ECC_SIGNATURE_ALGORITHM``), because an RSA key costs a starting sidecar
a tenth of a second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshcourse.errors import MeshcourseError

CLOCK_SKEW = dt.timedelta(minutes=2)
ROOT_LIFETIME = dt.timedelta(days=3650)
ORGANIZATION = "cluster.local"


class SigningError(MeshcourseError):
    """A request for a certificate that cannot be granted."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate (chain) and its private key, both PEM."""

    certificate: str
    key: str


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """PKCS#8 without encryption, as Envoy and gRPC read it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def request(key: ec.EllipticCurvePrivateKey) -> str:
    """A certificate signing request that says nothing but the public key: the identity comes from the token."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def not_after(certificate_pem: str) -> dt.datetime:
    """When the (first) certificate expires, UTC."""
    return x509.load_pem_x509_certificate(certificate_pem.encode()).not_valid_after_utc


def not_before(certificate_pem: str) -> dt.datetime:
    """From when the (first) certificate is valid, UTC."""
    return x509.load_pem_x509_certificate(certificate_pem.encode()).not_valid_before_utc


def lifetime_left(certificate_pem: str, now: dt.datetime) -> float:
    """The part of a certificate's life that is still ahead, 0–1."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return max(0.0, (end - now) / (end - start))


class Authority:
    """A root certificate that signs.

    :param pair: certificate and key of the root.
    """

    def __init__(self, pair: KeyPair) -> None:
        self.pair = pair
        self._certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
        key = serialization.load_pem_private_key(pair.key.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SigningError(
                "the root key is not an elliptic-curve key",
                remedy="delete the Secret istio-ca-secret in istio-system and restart istiod",
            )
        self._key = key

    @property
    def root(self) -> str:
        """The root certificate, PEM: what everybody in the mesh trusts."""
        return self.pair.certificate

    @property
    def expires(self) -> dt.datetime:
        return self._certificate.not_valid_after_utc

    def sign(
        self,
        csr: str,
        *,
        uris: Sequence[str] = (),
        names: Sequence[str] = (),
        lifetime: dt.timedelta,
        now: dt.datetime,
    ) -> str:
        """A certificate for the public key of `csr`, and for nothing else in it.

        :param uris: SPIFFE ids that the caller has proved.
        :param names: DNS names, for servers of the control plane.
        :raises SigningError: if `csr` is not a request signed by its own key.
        """
        try:
            wanted = x509.load_pem_x509_csr(csr.encode())
            if not wanted.is_signature_valid:
                raise InvalidSignature
        except (ValueError, InvalidSignature) as error:
            raise SigningError(f"CSR signing error (cannot parse the CSR: {error})") from error
        public = wanted.public_key()
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(min(now + lifetime, self.expires))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(_both_sides(), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(self._issuer(), critical=False)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self,
        *,
        uris: Sequence[str] = (),
        names: Sequence[str] = (),
        lifetime: dt.timedelta,
        now: dt.datetime,
    ) -> KeyPair:
        """A key and its certificate in one go, for istiod's own servers."""
        key = new_key()
        certificate = self.sign(request(key), uris=uris, names=names, lifetime=lifetime, now=now)
        return KeyPair(certificate, key_pem(key))

    def _issuer(self) -> x509.AuthorityKeyIdentifier:
        own = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def create(now: dt.datetime) -> Authority:
    """A new self-signed root, as istiod makes it when it finds none."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)])
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return Authority(KeyPair(pem, key_pem(key)))


def _both_sides() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
