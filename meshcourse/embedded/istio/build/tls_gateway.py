"""TLS termination at gateways: ``tls`` of a Gateway server.

Source: istio.io reference of ServerTLSSettings. ``credentialName`` is served by istiod as
``kubernetes://NAME`` (and
``kubernetes://NAME-cacert`` for client certificates), so that a changed Secret takes effect without
a new listener.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio import ciphers, names
from meshcourse.embedded.istio.build import proto, tls
from meshcourse.embedded.istio.gateways import Server
from meshcourse.embedded.istio.model import Json

_VERSIONS: Final = {
    "TLSV1_0": "TLSv1_0",
    "TLSV1_1": "TLSv1_1",
    "TLSV1_2": "TLSv1_2",
    "TLSV1_3": "TLSv1_3",
}
#: A credential that stands for the workload's own certificate.
BUILT_IN: Final = "builtin://"
CLIENT_CERTIFICATES: Final = frozenset(("MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_MUTUAL"))


def certificate_names(setting: Mapping[str, Any]) -> list[str]:
    """The SDS names of a server's own certificates."""
    found = setting.get("credentialNames") or [setting.get("credentialName")]
    return [names.secret(one) for one in found if one and not one.startswith(BUILT_IN)]


def authority_name(setting: Mapping[str, Any]) -> str:
    """The SDS name of the roots that verify a server's clients; "" if they come from files."""
    if named := setting.get("caCertCredentialName"):
        return f"{names.secret(named).removesuffix(names.CA_SUFFIX)}{names.CA_SUFFIX}"
    own = certificate_names(setting)
    return f"{own[0]}{names.CA_SUFFIX}" if own else ""


def terminate(server: Server) -> Json:
    """The DownstreamTlsContext of a server."""
    setting = server.tls or {}
    alpn = ["h2", "http/1.1"] if server.http else None
    common = proto.compact(
        alpn_protocols=alpn,
        tls_params=_parameters(setting),
        **_certificates(setting, server.mode),
        **_clients(setting, server.mode),
    )
    mutual = server.mode in ("MUTUAL", "ISTIO_MUTUAL")
    return proto.named(
        "envoy.transport_sockets.tls",
        "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=common,
        require_client_certificate=mutual,
    )


def _parameters(setting: Mapping[str, Any]) -> Json:
    low = _VERSIONS.get(setting.get("minProtocolVersion") or "", "TLSv1_2")
    return proto.compact(
        tls_minimum_protocol_version=low,
        tls_maximum_protocol_version=_VERSIONS.get(setting.get("maxProtocolVersion") or ""),
        cipher_suites=ciphers.usable(setting.get("cipherSuites") or []),
    )


def _certificates(setting: Mapping[str, Any], mode: str) -> Json:
    if mode == "ISTIO_MUTUAL" or str(setting.get("credentialName")).startswith(BUILT_IN):
        own = proto.sds_file(names.CERTIFICATE, names.CERTIFICATE_FILE)
        return {"tls_certificate_sds_secret_configs": [own]}
    if found := certificate_names(setting):
        return {"tls_certificate_sds_secret_configs": [proto.sds_ads(one) for one in found]}
    pairs = [
        {
            "certificate_chain": {"filename": names.file(one.get("serverCertificate") or "")},
            "private_key": {"filename": names.file(one.get("privateKey") or "")},
        }
        for one in setting.get("tlsCertificates") or [setting]
    ]
    return {"tls_certificates": pairs}


def _clients(setting: Mapping[str, Any], mode: str) -> Json:
    if mode not in CLIENT_CERTIFICATES:
        return {}
    sans = [
        {"san_type": kind, "matcher": {"exact": one}}
        for one in setting.get("subjectAltNames") or []
        for kind in ("DNS", "URI")
    ]
    default = proto.compact(
        match_typed_subject_alt_names=sans,
        verify_certificate_spki=list(setting.get("verifyCertificateSpki") or []),
        verify_certificate_hash=list(setting.get("verifyCertificateHash") or []),
    )
    if mode == "ISTIO_MUTUAL":
        roots = proto.sds_file(names.ROOTS, names.ROOTS_FILE)
    elif named := authority_name(setting):
        roots = proto.sds_ads(named)
    else:
        trusted = proto.compact(
            trusted_ca={"filename": names.file(setting.get("caCertificates") or "")},
            crl=tls.revoked(setting.get("caCrl")),
        )
        return {"validation_context": {**default, **trusted}}
    return {
        "combined_validation_context": {
            "default_validation_context": default,
            "validation_context_sds_secret_config": roots,
        }
    }
