"""The certificate authority: what is in a certificate, who gets one, for how long."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from meshcourse.embedded.istiod.ca import authority, identity, signer, store, tokens
from meshcourse.embedded.istiod.ca.identity import Identity
from meshcourse.embedded.istiod.xds import credentials
from meshcourse.embedded.kube.status import ApiError

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
REVIEWS = Identity("cluster.local", "default", "reviews")


@pytest.fixture(scope="module")
def root() -> authority.Authority:
    return authority.create(NOW)


def parse(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_a_certificate_carries_the_proven_identity_and_nothing_of_the_request(
    root: authority.Authority,
) -> None:
    key = authority.new_key()
    forged = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")]))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/istio-system/sa/istiod")]
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    chain = signer.Signer(root, signer.Lifetimes(), lambda: NOW).sign(forged, REVIEWS, 0)
    leaf = parse(chain[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [str(REVIEWS)]
    assert list(leaf.subject) == []
    assert leaf.public_key() == key.public_key()
    leaf.verify_directly_issued_by(parse(root.root))
    assert chain[1] == root.root


def test_certificates_are_short_lived_and_leaves_cannot_sign(root: authority.Authority) -> None:
    granting = signer.Signer(root, signer.Lifetimes(default=60.0), lambda: NOW)
    leaf = parse(granting.sign(authority.request(authority.new_key()), REVIEWS, 0)[0])
    assert leaf.not_valid_after_utc == NOW + dt.timedelta(seconds=60)
    assert leaf.not_valid_before_utc == NOW - authority.CLOCK_SKEW
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    shorter = granting.sign(authority.request(authority.new_key()), REVIEWS, 5)
    assert parse(shorter[0]).not_valid_after_utc == NOW + dt.timedelta(seconds=5)


@pytest.mark.parametrize(
    ("csr", "seconds", "words"),
    [
        ("nonsense", 0, "cannot parse the CSR"),
        (authority.request(authority.new_key()), 1e9, "greater than the max allowed"),
        (authority.request(authority.new_key()), -1, "greater than the max allowed"),
    ],
)
def test_bad_requests_are_refused(
    root: authority.Authority, csr: str, seconds: float, words: str
) -> None:
    granting = signer.Signer(root, signer.Lifetimes(), lambda: NOW)
    with pytest.raises(authority.SigningError, match=words):
        granting.sign(csr, REVIEWS, seconds)


def test_a_request_that_its_key_did_not_sign_is_refused(root: authority.Authority) -> None:
    mine = x509.load_pem_x509_csr(authority.request(authority.new_key()).encode())
    der = bytearray(mine.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(authority.SigningError):
        root.sign(forged, uris=[str(REVIEWS)], lifetime=dt.timedelta(hours=1), now=NOW)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("spiffe://cluster.local/ns/default/sa/reviews", REVIEWS),
        ("spiffe://cluster.local/ns/default/sa/", None),
        ("spiffe://cluster.local/default/reviews", None),
        ("https://cluster.local/ns/default/sa/reviews", None),
        ("spiffe://cluster.local/ns/default/sa/reviews/more", None),
    ],
)
def test_identities_are_read_strictly(text: str, wanted: Identity | None) -> None:
    assert identity.parse(text) == wanted


def test_an_identity_must_match_namespace_and_account() -> None:
    uris = ["https://x", str(REVIEWS)]
    assert identity.matching(uris, "default", "reviews") == REVIEWS
    assert identity.matching(uris, "default", "") == REVIEWS
    assert identity.matching(uris, "other", "reviews") is None
    assert identity.matching(uris, "default", "ratings") is None


class Api:
    """Answers TokenReviews with a fixed status, and counts."""

    def __init__(self, status: dict[str, Any]) -> None:
        self.status = status
        self.calls = 0

    async def create(self, _resource: Any, review: Any, **_: Any) -> Any:
        self.calls += 1
        assert review["spec"]["audiences"] == ["istio-ca"]
        return {**review, "status": self.status}


GOOD = {
    "authenticated": True,
    "audiences": ["istio-ca"],
    "user": {"username": "system:serviceaccount:default:reviews"},
}


async def test_a_token_proves_a_service_account() -> None:
    api, now = Api(GOOD), [0.0]
    reviewer = tokens.TokenReviewer(api, "cluster.local", lambda: now[0])  # type: ignore[arg-type]
    assert await reviewer.identify("t") == REVIEWS
    assert await reviewer.identify("t") == REVIEWS
    assert api.calls == 1
    now[0] = 60.0
    await reviewer.identify("t")
    assert api.calls == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"authenticated": False, "error": "expired"}, "expired"),
        ({**GOOD, "audiences": ["other"]}, "not meant for istio-ca"),
        ({**GOOD, "user": {"username": "admin"}}, "not a service account"),
        ({}, "token is not valid"),
    ],
)
async def test_other_tokens_prove_nothing(status: dict[str, Any], words: str) -> None:
    reviewer = tokens.TokenReviewer(Api(status), "cluster.local")  # type: ignore[arg-type]
    with pytest.raises(tokens.Unauthenticated, match=words):
        await reviewer.identify("t")


class Secrets:
    """A place for one Secret, where somebody else may be faster."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.rival: dict[str, Any] | None = None

    async def get(self, _resource: Any, name: str, _namespace: str) -> Any:
        if name not in self.found:
            raise ApiError(404, "NotFound", "not found")
        return self.found[name]

    async def create(self, _resource: Any, obj: Any, _namespace: str) -> Any:
        if self.rival is not None:
            self.found["istio-ca-secret"] = self.rival
            raise ApiError(409, "AlreadyExists", "exists")
        self.found[obj["metadata"]["name"]] = obj
        return obj


async def test_the_root_is_kept_and_found_again() -> None:
    api = Secrets()
    first = await store.load(api, "istio-system")  # type: ignore[arg-type]
    second = await store.load(api, "istio-system")  # type: ignore[arg-type]
    assert second.root == first.root
    assert api.found["istio-ca-secret"]["type"] == "istio.io/ca-root"


async def test_two_control_planes_agree_on_one_root() -> None:
    other, api = Secrets(), Secrets()
    theirs = await store.load(other, "istio-system")  # type: ignore[arg-type]
    api.rival = other.found["istio-ca-secret"]
    ours = await store.load(api, "istio-system")  # type: ignore[arg-type]
    assert ours.root == theirs.root


async def test_a_plugged_in_authority_goes_first() -> None:
    api = Secrets()
    await store.load(api, "istio-system")  # type: ignore[arg-type]
    other = Secrets()
    theirs = await store.load(other, "istio-system")  # type: ignore[arg-type]
    api.found["cacerts"] = other.found["istio-ca-secret"]
    assert (await store.load(api, "istio-system")).root == theirs.root  # type: ignore[arg-type]


def test_the_serving_certificate_is_renewed_at_half_of_its_life(root: authority.Authority) -> None:
    now = [NOW]
    serving = credentials.ServingCertificate(
        root, ["istiod.istio-system.svc"], dt.timedelta(hours=2), lambda: now[0]
    )
    first = serving.current()
    now[0] = NOW + dt.timedelta(minutes=30)
    assert serving.current() is first
    now[0] = NOW + dt.timedelta(minutes=70)
    second = serving.current()
    assert second is not first
    names = parse(second.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["istiod.istio-system.svc"]
