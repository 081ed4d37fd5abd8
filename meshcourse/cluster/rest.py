"""A small synchronous client of the Kubernetes API: requests, watches, logs; refusals become `ApiError`.

Thread-safe: the pool hands every thread its own connection. Source: Kubernetes API concepts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from meshcourse.cluster import errors, kubeconfig

if TYPE_CHECKING:
    import urllib3

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
#: Asks for a Table, the server's own rendering of ``kubectl get``; anything else comes back as it is.
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')

Query = Mapping[str, Any]


class Rest:
    """One API server, as one kubeconfig context sees it."""

    def __init__(self, access: kubeconfig.Access) -> None:
        import urllib3

        self.access = access
        self._tls = tls_context(access)
        self._pool: urllib3.PoolManager = urllib3.PoolManager(
            maxsize=8, ssl_context=self._tls, retries=False
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = 30.0,
        warnings: list[str] | None = None,
    ) -> Any:
        """The decoded JSON of a response (text if it is not JSON).

        :param warnings: what the server warns about is added here.
        :raises ApiError: if the server refuses.
        :raises ClusterError: if it cannot be reached or does not answer within `timeout` seconds.
        """
        with self._open(method, path, query, body, content_type, accept, timeout) as response:
            data = response.read()
            if warnings is not None:
                warnings += _warnings(response.headers.getlist("Warning"))
            if JSON in response.headers.get("Content-Type", ""):
                return json.loads(data)
            return data.decode(errors="replace")

    def get(self, path: str, *, accept: str = JSON, **query: Any) -> Any:
        """GET with query parameters; those that are None or "" are left out."""
        return self.request("GET", path, query=query, accept=accept)

    def lines(
        self,
        path: str,
        *,
        query: Query | None = None,
        accept: str = JSON,
        idle: float | None = None,
    ) -> Iterator[bytes]:
        """The lines of a response as they arrive: watches and followed logs.

        :param idle: give up after this many seconds without a byte (None: never).
        """
        with self._open("GET", path, query, None, JSON, accept, idle) as response:
            rest = b""
            for chunk in _chunks(response):
                *full, rest = (rest + chunk).split(b"\n")
                yield from (line + b"\n" for line in full)
            if rest:
                yield rest

    def watch(
        self, path: str, *, query: Query | None = None, accept: str = JSON, seconds: int = 300
    ) -> Iterator[dict[str, Any]]:
        """The events of a watch, until the server ends it after `seconds`."""
        asked = {"watch": "true", "timeoutSeconds": seconds, **(query or {})}
        for line in self.lines(path, query=asked, accept=accept, idle=seconds + 15.0):
            if line.strip():
                event: dict[str, Any] = json.loads(line)
                if event.get("type") == "ERROR":
                    raise errors.from_response(
                        int(event["object"].get("code", 500)), event["object"]
                    )
                yield event

    def websocket(self, path: str, query: str, subprotocols: list[str]) -> Any:
        """An open WebSocket (``websocket.WebSocket``) for exec and port-forward.

        :raises ApiError: if the server refuses the upgrade.
        """
        import websocket

        url = f"wss{self.access.server.removeprefix('https')}{path}?{query}"
        if self.access.server.startswith("http:"):
            url = f"ws{self.access.server.removeprefix('http')}{path}?{query}"
        try:
            return websocket.create_connection(
                url,
                header=[f"{name}: {value}" for name, value in self._credentials().items()],
                subprotocols=subprotocols,
                sslopt={"context": self._tls},
                http_no_proxy=["*"],
                timeout=30,
            )
        except websocket.WebSocketBadStatusException as error:
            body = (getattr(error, "resp_body", b"") or b"").decode(errors="replace")
            with contextlib.suppress(ValueError):
                raise errors.from_response(error.status_code, json.loads(body)) from error
            raise errors.from_response(error.status_code, body) from error
        except OSError as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Close every pooled connection."""
        self._pool.clear()

    @contextlib.contextmanager
    def _open(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Any,
        content_type: str,
        accept: str,
        timeout: float | None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        import urllib3

        url = f"{self.access.server}{path}{_encode(query)}"
        headers = {"Accept": accept, "User-Agent": "meshcourse", **self._credentials()}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            response = self._pool.request(
                method,
                url,
                body=_payload(body),
                headers=headers,
                preload_content=False,
                timeout=urllib3.Timeout(connect=10, read=timeout),
            )
            with _released(response):
                if response.status >= 400:
                    raise errors.from_response(response.status, _decoded(response.read()))
                yield response
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error

    def _credentials(self) -> dict[str, str]:
        if self.access.plugin:
            return {"Authorization": official_token(self.access)}
        return {"Authorization": f"Bearer {self.access.token}"} if self.access.token else {}

    def _unreachable(self, error: Exception) -> errors.ClusterError:
        return errors.ClusterError(
            f"the cluster at {self.access.server} does not answer: {_root(error)}",
            remedy="Start it with `meshcourse up`; look at `meshcourse status` and `meshcourse logs`.",
        )


def hang_up(websocket: Any) -> None:
    """Close a WebSocket and its TCP connection, also when the server has closed it first."""
    websocket.close(timeout=1)
    websocket.shutdown()


def tls_context(access: kubeconfig.Access) -> ssl.SSLContext:
    """Verification against the cluster's own CA, with the client certificate if there is one."""
    context = ssl.create_default_context(cadata=access.ca or None)
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate:
        with _private_file("\n".join(access.certificate)) as path:
            context.load_cert_chain(path)
    return context


def official_token(access: kubeconfig.Access) -> str:
    """The ``Authorization`` value that the kubeconfig's plug-in gives, by way of the official client."""
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(
        config_file=str(access.path), context=access.context, client_configuration=configuration
    )
    return str(configuration.get_api_key_with_prefix("authorization") or "")


@contextlib.contextmanager
def _private_file(text: str) -> Iterator[str]:
    handle, path = tempfile.mkstemp(prefix="meshcourse-")  # mkstemp creates it with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        os.unlink(path)


@contextlib.contextmanager
def _released(response: urllib3.BaseHTTPResponse) -> Iterator[None]:
    """Hand the connection back if the body was read to its end, close it otherwise (an abandoned watch)."""
    try:
        yield
    finally:
        if not getattr(response, "closed", False):
            response.close()
        response.release_conn()


def _chunks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while chunk := response.read1(65536):
        yield chunk


def _payload(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body).encode()


def _encode(query: Query | None) -> str:
    pairs = [(name, value) for name, value in (query or {}).items() if value not in (None, "")]
    return f"?{urlencode(pairs, doseq=True)}" if pairs else ""


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _warnings(headers: Iterable[str]) -> list[str]:
    """The texts of ``Warning: 299 - "text"`` (RFC 9111's grammar, as Kubernetes uses it)."""
    found = [match for header in headers for match in _WARNING.findall(header)]
    return [re.sub(r"\\(.)", r"\1", text) for text in found]


def _root(error: BaseException) -> str:
    """The innermost cause, which is the one that says something ("Connection refused")."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _root(reason)
    return str(error.__cause__ or error.__context__ or error)
