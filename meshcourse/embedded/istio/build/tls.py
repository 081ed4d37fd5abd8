"""Transport sockets: mesh mutual TLS on both sides, and TLS towards the outside.

The client offers ``istio-http/1.1``, ``istio`` and what it really speaks; the server advertises
only ``h2`` and ``http/1.1``. If ``istio`` itself were negotiated, Envoy would speak HTTP/1 and gRPC
would fail. Filter chains match on the offer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.model import Json

ALPN_HTTP1: Final = ("istio-http/1.1", "istio", "http/1.1")
ALPN_HTTP2: Final = ("istio-h2", "istio", "h2")
ALPN_TCP: Final = ("istio",)
#: What an offer of a sidecar contains: any of these selects the mesh chain.
ALPN_MESH_HTTP: Final = ("istio-http/1.0", "istio-http/1.1", "istio-h2")
ALPN_MESH: Final = (*ALPN_MESH_HTTP, "istio")

_UPSTREAM: Final = "extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_DOWNSTREAM: Final = "extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_SOCKET: Final = "envoy.transport_sockets.tls"
_KINDS: Final = ("DNS", "URI")
_VERSIONS: Final = {"tls_minimum_protocol_version": "TLSv1_2"}


def san(kind: str, **matcher: str) -> Json:
    """A SubjectAltNameMatcher: `kind` is URI or DNS, `matcher` one of exact=, prefix=, suffix=."""
    return {"san_type": kind, "matcher": matcher}


def _workload_context(alpn: Sequence[str], sans: list[Json]) -> Json:
    return {
        "alpn_protocols": list(alpn),
        "tls_params": _VERSIONS,
        "tls_certificate_sds_secret_configs": [
            proto.sds_file(names.CERTIFICATE, names.CERTIFICATE_FILE)
        ],
        "combined_validation_context": {
            "default_validation_context": proto.compact(match_typed_subject_alt_names=sans),
            "validation_context_sds_secret_config": proto.sds_file(names.ROOTS, names.ROOTS_FILE),
        },
    }


def mesh_client(sni: str, identities: Sequence[str], alpn: Sequence[str]) -> Json:
    """Mutual TLS with the workload certificate; `identities` are the SPIFFE ids accepted of the
    server.

    With no identity known any of the mesh's root is accepted, as in Istio.
    """
    sans = [san("URI", exact=one) for one in identities]
    return proto.named(
        _SOCKET, _UPSTREAM, sni=sni, common_tls_context=_workload_context(alpn, sans)
    )


def mesh_server(trust_domains: Sequence[str]) -> Json:
    """Mutual TLS in front of an application: a client certificate of one of the trust domains is
    required.
    """
    sans = [san("URI", prefix=f"spiffe://{domain}/") for domain in trust_domains]
    return proto.named(
        _SOCKET,
        _DOWNSTREAM,
        require_client_certificate=True,
        common_tls_context=_workload_context(("h2", "http/1.1"), sans),
    )


def origination(setting: Mapping[str, Any], *, http2: bool) -> Json:
    """TLS towards a server outside the mesh: SIMPLE or MUTUAL of a DestinationRule.

    ``credentialName`` is a Secret served by istiod (Istio gives it to gateways only); otherwise
    paths of files. Without ``caCertificates`` the system's roots are trusted, as in Istio.
    """
    common: Json = {"tls_params": _VERSIONS}
    if http2:
        common["alpn_protocols"] = ["h2"]
    if setting.get("mode") == "MUTUAL":
        common |= _client_certificate(setting)
    common |= _validation(setting)
    sni = setting.get("sni") or None
    return proto.named(_SOCKET, _UPSTREAM, sni=sni, common_tls_context=common)


def _client_certificate(setting: Mapping[str, Any]) -> Json:
    if credential := setting.get("credentialName"):
        found = proto.sds_ads(names.secret(credential))
        return {"tls_certificate_sds_secret_configs": [found]}
    pair = {
        "certificate_chain": {"filename": names.file(setting.get("clientCertificate") or "")},
        "private_key": {"filename": names.file(setting.get("privateKey") or "")},
    }
    return {"tls_certificates": [pair]}


def _validation(setting: Mapping[str, Any]) -> Json:
    sans = [san(kind, exact=one) for one in setting.get("subjectAltNames") or [] for kind in _KINDS]
    matching = proto.compact(match_typed_subject_alt_names=sans)
    if setting.get("insecureSkipVerify"):
        return {"validation_context": {}}
    credential = setting.get("credentialName")
    if not credential:
        path = setting.get("caCertificates") or "system"
        known = names.SYSTEM_ROOTS_FILE if path == "system" else names.file(path)
        roots = proto.compact(trusted_ca={"filename": known}, crl=revoked(setting.get("caCrl")))
        return {"validation_context": {**matching, **roots}}
    return {
        "combined_validation_context": {
            "default_validation_context": matching,
            "validation_context_sds_secret_config": proto.sds_ads(
                names.secret(credential) + names.CA_SUFFIX
            ),
        }
    }


def revoked(path: str | None) -> Json | None:
    """The list of revoked certificates (``caCrl``)."""
    return {"filename": names.file(path)} if path else None
