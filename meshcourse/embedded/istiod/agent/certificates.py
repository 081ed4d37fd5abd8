"""The workload's certificate: asked of istiod with the service-account token, kept as files.

The private key never leaves this machine's disk (0600) and is replaced at every renewal. Each file
is a complete SDS response that Envoy watches; it is replaced by rename, so that Envoy never sees a
key that does not fit its certificate.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshcourse.embedded.istiod.agent import place
from meshcourse.embedded.istiod.agent.settings import Settings
from meshcourse.embedded.istiod.ca import authority

ROOT_FILE = "/var/run/secrets/istio/root-cert.pem"
TOKEN_FILE = "/var/run/secrets/tokens/istio-token"
#: The names are gRPC's, the encoding is JSON: a sidecar that loaded gRPC would be five times as big.
PATH = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
PORT = 443
_TIMEOUT = 5.0
#: Where systems keep the roots that everybody trusts, besides where this Python looks (as pilot-agent searches).
SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


class CertificateError(Exception):
    """istiod did not give us a certificate (yet)."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What istiod granted.

    :param chain: leaf first, then the root.
    :param discovery: host and port at which istiod serves xDS.
    """

    key: str
    chain: tuple[str, ...]
    discovery: tuple[str, int]

    def renew_at(self, grace_ratio: float) -> float:
        """Unix time at which to ask for the next one."""
        issued = authority.not_before(self.chain[0]) + authority.CLOCK_SKEW
        expires = authority.not_after(self.chain[0])
        life = (expires - issued).total_seconds()
        return expires.timestamp() - life * grace_ratio


def fetch(settings: Settings, env: Mapping[str, str] = os.environ) -> Granted:
    """A new key and a certificate for it.

    :raises CertificateError: with the reason, if istiod is not there or refuses.
    """
    key = authority.new_key()
    body = {"csr": authority.request(key), "validityDuration": settings.lifetime}
    try:
        token = place.mounted(TOKEN_FILE, env).read_text().strip()
        answer = _post(settings.ca_address[0], token, json.dumps(body), env)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CertificateError(f"failed to sign: {error}") from error
    discovery = answer["discoveryAddress"]
    return Granted(
        authority.key_pem(key), tuple(answer["certChain"]), (discovery["host"], discovery["port"])
    )


def _post(host: str, token: str, body: str, env: Mapping[str, str]) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=str(place.mounted(ROOT_FILE, env)))
    connection = _connection(host, context, env)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", PATH, body, headers)
        response = connection.getresponse()
        data = json.loads(response.read() or b"{}")
    finally:
        connection.close()
    if response.status != 200:
        raise CertificateError(f"failed to sign: {data.get('message') or response.reason}")
    return dict(data)


def _connection(
    host: str, context: ssl.SSLContext, env: Mapping[str, str]
) -> http.client.HTTPSConnection:
    """To istiod by its Service name; names are resolved by the node's forward proxy, there is no cluster DNS."""
    proxy = urllib.parse.urlsplit(env.get("https_proxy") or "")
    if not proxy.hostname:
        return http.client.HTTPSConnection(host, PORT, timeout=_TIMEOUT, context=context)
    connection = http.client.HTTPSConnection(
        proxy.hostname, proxy.port, timeout=_TIMEOUT, context=context
    )
    connection.set_tunnel(host, PORT)
    return connection


def write(granted: Granted, certificate_file: Path, roots_file: Path) -> None:
    """Replace the files that Envoy watches; the root goes first, so that the peer's next certificate is trusted."""
    root = {"validation_context": {"trusted_ca": {"inline_string": granted.chain[-1]}}}
    chain = "".join(granted.chain[:-1])
    own = {
        "tls_certificate": {
            "certificate_chain": {"inline_string": chain},
            "private_key": {"inline_string": granted.key},
        }
    }
    _replace(roots_file, "ROOTCA", root)
    _replace(certificate_file, "default", own)


def keep_system_roots(path: Path, otherwise: str) -> None:
    """Make `path` the roots that this machine trusts, for TLS to servers outside of the mesh.

    :param otherwise: a certificate (PEM) to trust where the machine has none: then no such server is believed.
    """
    found = next(filter(os.path.isfile, _system_roots()), "")
    if path.is_symlink() and os.path.realpath(path) == os.path.realpath(found):
        return
    path.unlink(missing_ok=True)
    if found:
        path.symlink_to(found)
    else:
        path.write_text(otherwise, encoding="utf-8")


def _system_roots() -> list[str]:
    return [ssl.get_default_verify_paths().cafile or "", *SYSTEM_ROOTS]


def _replace(path: Path, name: str, secret: Mapping[str, object]) -> None:
    response = {"resources": [{"@type": _SECRET, "name": name, **secret}]}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(response, file)
    temporary.replace(path)
