"""TLS of the ADS port: istiod's own certificate, renewed before it expires, and clients of the mesh's root only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import grpc

from meshcourse.embedded.istiod.ca import authority
from meshcourse.embedded.istiod.ca.authority import Authority, KeyPair

LIFETIME = dt.timedelta(hours=24)


class ServingCertificate:
    """istiod's serving certificate; `current` renews it when half of its life is over."""

    def __init__(
        self,
        root: Authority,
        names: Sequence[str],
        lifetime: dt.timedelta = LIFETIME,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._root, self._names, self._lifetime, self._now = root, list(names), lifetime, now
        self._pair = self._issue()

    def current(self) -> KeyPair:
        """The certificate to present."""
        if authority.lifetime_left(self._pair.certificate, self._now()) < 0.5:
            self._pair = self._issue()
        return self._pair

    def _issue(self) -> KeyPair:
        return self._root.issue(names=self._names, lifetime=self._lifetime, now=self._now())


def mutual_tls(root: Authority, serving: ServingCertificate) -> grpc.ServerCredentials:
    """Credentials that demand a certificate of the mesh and renew our own."""

    presented = serving.current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """Asked at every handshake; None keeps what is presented."""
        nonlocal presented
        pair = serving.current()
        if pair is presented:
            return None
        presented = pair
        return _configuration(root, pair)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(root, presented), fetch, require_client_authentication=True
    )


def _configuration(root: Authority, pair: KeyPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(pair.key.encode(), pair.certificate.encode())], root.root.encode()
    )
