"""A connection for one request: name, proxy, tunnel and TLS, with the moments at which each was done."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from meshcourse.embedded.images import outbound
from meshcourse.embedded.images.tools.curl import errors
from meshcourse.embedded.images.tools.curl.errors import CurlError
from meshcourse.embedded.images.tools.curl.options import Options

PORTS = {"http": 80, "https": 443}
Tell = Callable[[str], None]


@dataclass
class Times:
    """Seconds since the start at which each step was done; 0 if it was not."""

    start: float = field(default_factory=time.monotonic)
    resolved: float = 0.0
    connected: float = 0.0
    secured: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start


@dataclass
class Line:
    """An open connection, and whether requests on it name the whole URL (a plain HTTP proxy)."""

    socket: socket.socket
    absolute: bool
    host: str
    port: int


def port_of(url: SplitResult) -> int:
    """A URL's port.

    :raises CurlError: if it is none.
    """
    try:
        return url.port or PORTS[url.scheme]
    except ValueError as error:
        raise CurlError(errors.MALFORMED_URL, f"URL rejected: {error}") from error


def proxy_of(options: Options, url: SplitResult) -> str | None:
    """The proxy for a URL: ``-x``, else the environment; ``--noproxy`` and `no_proxy` take hosts out."""
    found = outbound.Proxies.from_environment(os.environ)
    if options.proxy is not None:
        found = outbound.Proxies(options.proxy, options.proxy, found.bypass)
    if options.no_proxy is not None:
        found = outbound.Proxies(found.http, found.https, options.no_proxy)
    proxy = found.of(url.scheme, url.hostname or "")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def target(options: Options, host: str, port: int) -> tuple[str, int]:
    """Where to connect for a host, as ``--connect-to`` and ``--resolve`` say."""
    for rule in options.connect_to:
        from_host, from_port, to_host, to_port = [*rule.split(":"), "", "", "", ""][:4]
        if from_host in ("", host) and from_port in ("", str(port)):
            host, port = to_host or host, int(to_port or port)
            break
    for rule in options.resolve:
        name, _, rest = rule.lstrip("+").partition(":")
        number, _, addresses = rest.partition(":")
        if name in ("*", host) and number == str(port) and addresses:
            return addresses.split(",")[0].strip("[]"), port
    return host, port


def timeout(options: Options, times: Times, *, connecting: bool = False) -> float | None:
    """Seconds that the next wait may take; None for no limit.

    :raises TimeoutError: if there is no time left.
    """
    limits = []
    if options.max_time:
        limits.append(options.max_time - times.now())
    if connecting and options.connect_timeout:
        limits.append(options.connect_timeout - times.now())
    if not limits:
        return None
    if min(limits) <= 0:
        raise TimeoutError("timed out")
    return min(limits)


def open_line(options: Options, url: SplitResult, times: Times, tell: Tell) -> Line:
    """Connect for a URL.

    :raises CurlError: if it fails.
    """
    host, port = url.hostname or "", port_of(url)
    proxy = proxy_of(options, url)
    if proxy:
        parts = urlsplit(proxy)
        line = _connect(options, parts.hostname or "", parts.port or 1080, times, tell, proxy=True)
        if url.scheme == "https":
            try:
                _tunnel(line, host, port, times, tell)
            except CurlError:
                line.socket.close()
                raise
    else:
        line = _connect(options, *target(options, host, port), times, tell, proxy=False)
    if url.scheme == "https":
        line.socket = _secure(options, line.socket, host, times, tell)
    line.absolute = bool(proxy) and url.scheme == "http"
    return line


def _connect(
    options: Options, host: str, port: int, times: Times, tell: Tell, *, proxy: bool
) -> Line:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        what, code = ("proxy", errors.NO_PROXY_HOST) if proxy else ("host", errors.NO_HOST)
        raise CurlError(code, f"Could not resolve {what}: {host}") from error
    times.resolved = times.now()
    for family, kind, protocol, _, address in found:
        tell(f"*   Trying {address[0]}:{port}...")
        raw = socket.socket(family, kind, protocol)
        try:
            raw.settimeout(timeout(options, times, connecting=True))
            raw.connect(address)
        except TimeoutError as error:
            raw.close()
            message = f"Connection timed out after {times.now() * 1000:.0f} milliseconds"
            raise CurlError(errors.TIMED_OUT, message) from error
        except OSError as error:
            raw.close()
            tell(f"* connect to {address[0]} port {port} failed: {error.strerror}")
            continue
        times.connected = times.now()
        tell(f"* Connected to {host} ({address[0]}) port {port}")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Line(raw, False, host, port)
    took = times.now() * 1000
    message = (
        f"Failed to connect to {host} port {port} after {took:.0f} ms: Could not connect to server"
    )
    raise CurlError(errors.NO_CONNECTION, message)


def _tunnel(line: Line, host: str, port: int, times: Times, tell: Tell) -> None:
    tell(f"* Establish HTTP proxy tunnel to {host}:{port}")
    authority = f"{host}:{port}"
    try:
        line.socket.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = line.socket.recv(1)  # one at a time: what follows belongs to TLS
            if not byte:
                raise CurlError(errors.RECEIVE_FAILED, "Proxy CONNECT aborted")
            head += byte
    except OSError as error:
        raise errors.of_receiving(error, times.now() * 1000, 0) from error
    status = head.split(b" ", 2)[1].decode("latin-1")
    if status != "200":
        raise CurlError(errors.RECEIVE_FAILED, f"CONNECT tunnel failed, response {status}")
    tell("* CONNECT tunnel established, response 200")


def _secure(
    options: Options, raw: socket.socket, host: str, times: Times, tell: Tell
) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=options.ca or None)
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if options.cert:
            context.load_cert_chain(options.cert, options.key or None)
        secure = context.wrap_socket(raw, server_hostname=host)
    except ssl.SSLError as error:
        raw.close()
        raise errors.of_tls(error) from error
    except OSError as error:
        raw.close()
        raise CurlError(
            errors.TLS_FAILED, f"TLS connect error: {error.strerror or error}"
        ) from error
    times.secured = times.now()
    cipher = secure.cipher()
    tell(f"* SSL connection using {secure.version()} / {cipher[0] if cipher else '?'}")
    for name, value in _certificate(secure):
        tell(f"*  {name}: {value}")
    return secure


def _certificate(secure: ssl.SSLSocket) -> list[tuple[str, str]]:
    """Subject and issuer, which Python only tells of a verified certificate."""
    found: dict[str, Any] = secure.getpeercert() or {}
    lines = []
    for name in ("subject", "issuer"):
        parts = [f"{key}={value}" for group in found.get(name, ()) for key, value in group]
        if parts:
            lines.append((name, "; ".join(parts)))
    return lines
