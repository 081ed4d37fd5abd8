"""Gateway."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio import ciphers
from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import Protocol
from meshcourse.embedded.istio.validate import names
from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, quoted
from meshcourse.embedded.istio.validate.item import Item

_UNIX: Final = "unix://"
_PASSTHROUGH: Final = ("PASSTHROUGH", "AUTO_PASSTHROUGH")
_WITH_CERTIFICATE: Final = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")


def check(item: Item) -> Findings:
    """Errors and warnings of a Gateway."""
    if not names.is_label(item.name):
        yield f"invalid gateway name: {quoted(item.name)}"
    servers = items(item.spec.get("servers"))
    if not servers:
        yield "gateway must have at least one server"
    for server in servers:
        yield from _server(server or {})
    seen: set[str] = set()
    for server in servers:
        port = (server or {}).get("port")
        if port is None:
            continue
        name = port.get("name") or ""
        if name in seen:
            yield f"port names in servers must be unique: duplicate name {name}"
        seen.add(name)
        is_http = _is_http(protocols.parse(port.get("protocol") or ""))
        if not is_http and (server.get("tls") or {}).get("httpsRedirect"):
            yield Warn("tls.httpsRedirect should only be used with http servers")


def _is_http(protocol: Protocol) -> bool:
    return protocol.http and protocol is not Protocol.AUTO


def _server(server: Spec) -> Findings:
    hosts = items(server.get("hosts"))
    if not hosts:
        yield "server config must contain at least one host"
    for host in hosts:
        yield from names.namespaced_host(str(host), gateway=True)
    bind = str(server.get("bind") or "")
    problems = list(_port(server.get("port"), bind))
    yield from problems
    yield from _bind(server.get("port"), bind)
    yield from server_tls(server.get("tls"))
    if not problems:
        yield from _agreement(protocols.parse(server["port"]["protocol"]), server.get("tls"))


def _agreement(protocol: Protocol, tls: Spec | None) -> Findings:
    """TLS settings go with TLS protocols; plain HTTP may only redirect."""
    if protocol.tls and tls is None:
        yield "server must have TLS settings for HTTPS/TLS protocols"
    elif not protocol.tls and tls is not None:
        files = ("caCertificates", "privateKey", "serverCertificate")
        only_redirects = (tls.get("mode") or "PASSTHROUGH") in _PASSTHROUGH
        if not _is_http(protocol):
            yield "server cannot have TLS settings for non HTTPS/TLS ports"
        elif not only_redirects or any(tls.get(one) for one in files):
            yield "server cannot have TLS settings for plain text HTTP ports"


def _port(port: Spec | None, bind: str) -> Findings:
    if port is None:
        yield "port is required"
        return
    name = port.get("protocol") or ""
    if protocols.parse(name) is Protocol.AUTO:
        yield (
            f"invalid protocol {quoted(name)}, supported protocols are "
            "HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP"
        )
    if port.get("number") or not bind.startswith(_UNIX):
        yield from names.port(port.get("number"))
    if port.get("targetPort"):
        yield "targetPort has no impact on Gateways"
    if not port.get("name"):
        yield f"port name must be set: {_shown(port)}"


def _shown(port: Spec) -> str:
    """A port as Go prints a protobuf message."""
    number = f"number:{port['number']}" if port.get("number") else ""
    protocol = f'protocol:"{port["protocol"]}"' if port.get("protocol") else ""
    return " ".join(one for one in (number, protocol) if one)


def _bind(port: Spec | None, bind: str) -> Findings:
    if bind.startswith(_UNIX):
        path = bind.removeprefix(_UNIX)
        if not path:
            yield "unix address must not be empty"
        elif not path.startswith("@") and (not path.startswith("/") or path.endswith("/")):
            yield f"{path} is not an absolute path to a file"
        if port is not None and port.get("number"):
            yield f"port number must be 0 for unix domain socket: {_shown(port)}"
    elif bind:
        yield from names.ip_address(bind)


def server_tls(tls: Spec | None) -> Findings:
    """ServerTLSSettings."""
    if tls is None:
        return
    mode = tls.get("mode") or "PASSTHROUGH"
    yield from _ciphers(tls)
    if mode == "ISTIO_MUTUAL":
        yield from _mesh_mode(tls)
        return
    if mode in _PASSTHROUGH and _has_certificates(tls):
        yield Warn(f"{mode} mode does not use certificates, they will be ignored")
    yield from _one_source(tls)
    if mode in _WITH_CERTIFICATE and (tls.get("credentialName") or tls.get("credentialNames")):
        return
    if mode in _WITH_CERTIFICATE:
        yield from _files(tls, "SIMPLE TLS" if mode == "SIMPLE" else "MUTUAL TLS")
    if tls.get("caCrl"):
        if tls.get("credentialName"):
            yield "CRL is not supported with credentialName. CRL has to be specified in the credential"
        if mode == "SIMPLE":
            yield "CRL is not supported with SIMPLE TLS"


def _ciphers(tls: Spec) -> Findings:
    suites = [str(one) for one in items(tls.get("cipherSuites"))]
    if tls.get("minProtocolVersion") in ("TLSV1_0", "TLSV1_1") and not suites:
        yield Warn(
            "TLS version below TLSV1_2 require setting compatible ciphers "
            "as by default they no longer include compatible ciphers."
        )
    valid = [one for one in suites if ciphers.valid(one)]
    invalid = sorted({one for one in suites if not ciphers.valid(one)})
    repeated = sorted({one for one in valid if valid.count(one) > 1})
    if invalid:
        yield Warn(f"ignoring invalid cipher suites: [{' '.join(invalid)}]")
    if repeated:
        yield Warn(f"ignoring duplicate cipher suites: [{' '.join(repeated)}]")


def _mesh_mode(tls: Spec) -> Findings:
    for field, shown in (
        ("serverCertificate", "server certificate"),
        ("privateKey", "private key"),
        ("caCertificates", "CA bundle"),
        ("tlsCertificates", "tlsCertificates"),
        ("credentialName", "credentialName"),
        ("credentialNames", "credentialNames"),
    ):
        if tls.get(field):
            yield f"ISTIO_MUTUAL TLS cannot have associated {shown}"


def _has_certificates(tls: Spec) -> bool:
    fields = (
        "caCrl",
        "serverCertificate",
        "privateKey",
        "caCertificates",
        "tlsCertificates",
        "credentialName",
        "credentialNames",
    )
    return any(tls.get(one) for one in fields)


def _one_source(tls: Spec) -> Findings:
    sources = (
        tls.get("serverCertificate") and tls.get("privateKey"),
        tls.get("credentialName"),
        tls.get("credentialNames"),
        tls.get("tlsCertificates"),
    )
    if sum(bool(one) for one in sources) > 1:
        yield (
            "only one of credential_name, credential_names, server_certificate/private_key, "
            "tls_certificates should be specified"
        )


def _files(tls: Spec, prefix: str) -> Findings:
    if prefix == "MUTUAL TLS" and not tls.get("caCertificates"):
        yield f"{prefix} requires a client CA bundle"
    certificates = items(tls.get("tlsCertificates"))
    if len(certificates) > 2:
        yield Warn(f"{prefix} can support up to 2 server certificates")
    for certificate in certificates or [tls]:
        if not certificate.get("serverCertificate"):
            yield f"{prefix} requires a server certificate"
        if not certificate.get("privateKey"):
            yield f"{prefix} requires a private key"
