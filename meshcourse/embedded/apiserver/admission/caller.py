"""HTTPS calls to webhooks, with the words of Go's HTTP client for what goes wrong."""

from __future__ import annotations

import base64
import ssl

import aiohttp
import orjson

from meshcourse.embedded.apiserver.admission import destinations, review
from meshcourse.embedded.apiserver.admission.destinations import Destination
from meshcourse.embedded.apiserver.admission.hooks import Hook
from meshcourse.embedded.apiserver.admission.review import BadAnswer, Verdict
from meshcourse.embedded.apiserver.reach import Unreachable
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube.objects import Object


class CallFailed(Exception):
    """The webhook could not be asked, or its answer could not be used."""


class Caller:
    """Keeps connections open between calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def call(self, hook: Hook, sent: Object) -> Verdict:
        """Send a review and read the verdict.

        :raises CallFailed: with the reason.
        """
        try:
            destination = destinations.find(self._store, hook.client_config)
        except Unreachable as error:
            raise CallFailed(f"failed to call webhook: {_post(hook, error)}") from None
        try:
            body = await self._post(hook, destination, sent)
        except (aiohttp.ClientError, OSError, ssl.SSLError, TimeoutError) as error:
            url = f"{destination.url}?timeout={hook.timeout}s"
            text = f'failed to call webhook: Post "{url}": {_words(error)}'
            raise CallFailed(text) from error
        try:
            return review.answer(sent, body)
        except BadAnswer as error:
            raise CallFailed(f"received invalid webhook response: {error}") from None

    async def _post(self, hook: Hook, destination: Destination, sent: Object) -> bytes:
        separator = "&" if "?" in destination.path else "?"
        path = f"{destination.path or '/'}{separator}timeout={hook.timeout}s"
        host = f"[{destination.host}]" if ":" in destination.host else destination.host
        async with self._open().post(
            f"https://{host}:{destination.port}{path}",
            data=orjson.dumps(sent),
            headers={"Content-Type": "application/json", "Host": destination.name},
            ssl=self._context(hook.client_config.get("caBundle") or ""),
            server_hostname=destination.name,
            timeout=aiohttp.ClientTimeout(total=hook.timeout),
            allow_redirects=False,
        ) as response:
            body = await response.read()
            if response.status != 200:
                text = body.decode(errors="replace").strip()
                raise CallFailed(f"failed to call webhook: {_unexpected(response.status, text)}")
            return body

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": "kube-apiserver-admission"},
                trust_env=False,
            )
        return self._session

    def _context(self, bundle: str) -> ssl.SSLContext:
        """Trust in a webhook's ``caBundle`` (base64 of PEM), or in the system's authorities."""
        if bundle not in self._contexts:
            pem = base64.b64decode(bundle).decode() if bundle else None
            try:
                self._contexts[bundle] = ssl.create_default_context(cadata=pem)
            except (ssl.SSLError, ValueError) as error:
                raise CallFailed(
                    "failed to call webhook: unable to load root certificates"
                ) from error
        return self._contexts[bundle]

    async def close(self) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()


def _post(hook: Hook, error: Exception) -> str:
    service = hook.client_config["service"]
    port, path = service.get("port") or 443, service.get("path") or "/"
    server = f"{service['name']}.{service['namespace']}.svc"
    return f'Post "https://{server}:{port}{path}?timeout={hook.timeout}s": {error}'


def _unexpected(code: int, text: str) -> str:
    return f"the server returned an unexpected status {code}" + (f": {text}" if text else "")


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    if isinstance(error, aiohttp.ClientConnectorError):
        host, port = error.host, error.port
        reason = (
            "connection refused"
            if isinstance(error.os_error, ConnectionRefusedError)
            else str(error.os_error)
        )
        return f"dial tcp {host}:{port}: connect: {reason}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error) or type(error).__name__
