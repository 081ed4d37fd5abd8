"""The lessons' own certificate authority."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from meshcourse.cluster.authority import Authority


def test_a_server_is_signed_by_the_root_for_its_name() -> None:
    authority = Authority("A root")
    certificate, key = authority.server("api.world")
    root = x509.load_pem_x509_certificate(authority.root.encode())
    leaf = x509.load_pem_x509_certificate(certificate.encode())
    leaf.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["api.world"]
    private = serialization.load_pem_private_key(key.encode(), None)
    assert private.public_key() == leaf.public_key()
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
