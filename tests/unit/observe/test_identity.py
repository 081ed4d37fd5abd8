"""Certificates as istioctl shows them, and tokens as an issuer signs them."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from meshcourse.cluster.errors import ClusterError
from meshcourse.observe import identity, tokens

SPIFFE = "spiffe://cluster.local/ns/default/sa/curl"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def certificate(*names: x509.GeneralName) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "cluster.local")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(0xABC)
        .not_valid_before(NOW)
        .not_valid_after(NOW + dt.timedelta(hours=24))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def dump(pem: bytes, *, camel: bool) -> str:
    """As Envoy's admin interface spells it, or as istioctl does."""
    if camel:
        chain: dict[str, Any] = {"inlineBytes": base64.b64encode(pem).decode()}
        secret = {"name": "default", "tlsCertificate": {"certificateChain": chain}}
        return json.dumps({"dynamicActiveSecrets": [{"name": "default", "secret": secret}]})
    secret = {
        "name": "default",
        "tls_certificate": {"certificate_chain": {"inline_string": pem.decode()}},
    }
    return json.dumps({"dynamic_active_secrets": [{"name": "default", "secret": secret}]})


@pytest.mark.parametrize("camel", [True, False])
def test_the_identity_is_read_out_of_either_spelling(camel: bool) -> None:
    pem = certificate(x509.UniformResourceIdentifier(SPIFFE))
    found = identity.of_secrets(dump(pem, camel=camel))
    assert found.identity == SPIFFE
    assert (found.serial, found.issuer, found.key) == ("abc", "O=cluster.local", "EC secp256r1")
    assert found.lifetime == dt.timedelta(hours=24)
    assert "(24 hours)" in repr(found)


def test_a_certificate_without_a_name_has_no_identity() -> None:
    assert identity.read(certificate()).identity == ""
    assert identity.read(certificate(x509.DNSName("a.example"))).identity == ""


def test_what_is_no_certificate_is_an_error() -> None:
    with pytest.raises(ClusterError, match="no certificate"):
        identity.read(b"nothing")
    with pytest.raises(ClusterError, match='called "other"'):
        identity.of_secrets(dump(certificate(), camel=True), "other")


def verify(token: str, jwks: str) -> dict[str, Any]:
    """As a verifier does it, with the public key only."""
    (key,) = json.loads(jwks)["keys"]

    def number(text: str) -> int:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")

    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    head, body, signature = token.split(".")
    assert tokens.decode(head)["kid"] == key["kid"]
    raw = base64.urlsafe_b64decode(signature + "==")
    public.verify(raw, f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    claims: dict[str, Any] = tokens.decode(body)
    return claims


def test_a_token_verifies_with_the_published_key_and_no_other() -> None:
    issuer = tokens.Issuer("https://login.example")
    token = issuer.token("bob", groups=["staff"], seconds=60)
    claims = verify(token, issuer.jwks)
    assert (claims["iss"], claims["sub"], claims["groups"]) == (issuer.name, "bob", ["staff"])
    assert claims["exp"] - claims["iat"] == 60
    with pytest.raises(InvalidSignature):
        verify(token, tokens.Issuer(issuer.name).jwks)


def test_a_token_that_was_changed_does_not_verify() -> None:
    issuer = tokens.Issuer("https://login.example")
    head, body, signature = issuer.token().split(".")
    forged = tokens.encode({**tokens.decode(body), "sub": "admin"})
    with pytest.raises(InvalidSignature):
        verify(f"{head}.{forged}.{signature}", issuer.jwks)


def test_a_token_travels_in_a_header() -> None:
    assert tokens.bearer("a.b.c") == {"Authorization": "Bearer a.b.c"}
