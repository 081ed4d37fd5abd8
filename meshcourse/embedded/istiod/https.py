"""The HTTPS port (15017): certificates for sidecars, the injection and validation webhooks.

On a real cluster sidecars ask for certificates by gRPC on port 15012; here it is the same call as
JSON over HTTPS, so that the agent need not load gRPC.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from meshcourse.embedded.istiod import metrics
from meshcourse.embedded.istiod.ca.authority import SigningError
from meshcourse.embedded.istiod.ca.identity import Identity
from meshcourse.embedded.istiod.ca.signer import Signer
from meshcourse.embedded.istiod.ca.tokens import TokenReviewer, Unauthenticated
from meshcourse.embedded.istiod.xds.credentials import ServingCertificate

log = logging.getLogger("serverca")

CREATE_CERTIFICATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CertificateEndpoint:
    """``CreateCertificate``.

    :param discovery: host and port at which istiod's Service serves xDS right now; None while unknown.
    """

    def __init__(
        self,
        signer: Signer,
        reviewer: TokenReviewer,
        discovery: Callable[[], tuple[str, int] | None],
    ) -> None:
        self._signer = signer
        self._reviewer = reviewer
        self._discovery = discovery

    async def handle(self, request: web.Request) -> web.Response:
        """A certificate for the caller; 401 and 400 in the words of istiod's gRPC statuses."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            if scheme != "Bearer" or not token:
                raise Unauthenticated("no bearer token exists in HTTP authorization header")
            identity = await self._reviewer.identify(token)
        except Unauthenticated as error:
            metrics.AUTHENTICATION_ERRORS.inc()
            log.warning("client %s: %s", request.remote, error)
            return _refuse(401, "request authenticate failure")  # the log alone says why
        return await self._grant(request, identity)

    async def _grant(self, request: web.Request, identity: Identity) -> web.Response:
        try:
            wanted = await request.json()
            seconds = float(wanted.get("validityDuration") or 0)
            chain = self._signer.sign(str(wanted["csr"]), identity, seconds)
        except SigningError as error:
            return _refuse(400, error.message)
        except (ValueError, KeyError, TypeError, AttributeError):
            return _refuse(400, "malformed certificate request")
        where = self._discovery()
        if where is None:
            return _refuse(503, "istiod does not know its own Service yet")
        discovery = {"host": where[0], "port": where[1]}
        return web.json_response({"certChain": chain, "discoveryAddress": discovery})


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


class HttpsServer:
    """aiohttp on a TLS context that is refreshed when the serving certificate is renewed."""

    def __init__(self, serving: ServingCertificate, routes: dict[str, Handler]) -> None:
        self._serving = serving
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._loaded: object = None
        self._runner: web.AppRunner | None = None
        app = web.Application(client_max_size=8 << 20)
        for path, handler in routes.items():
            app.router.add_post(path, handler)
        self._app = app

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the real port (for `port` 0)."""
        self.refresh()
        self._runner = web.AppRunner(self._app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._context)
        await site.start()
        return int(self._runner.addresses[0][1])

    def refresh(self) -> None:
        """Present the current certificate from the next handshake on."""
        pair = self._serving.current()
        if pair is self._loaded:
            return
        # The ssl module reads keys from files only; the directory is private and gone at once.
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "pair.pem"
            path.touch(0o600)
            path.write_text(pair.certificate + pair.key)
            self._context.load_cert_chain(path)
        self._loaded = pair

    async def keep_fresh(self, seconds: float = 600.0) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(seconds)
            self.refresh()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
