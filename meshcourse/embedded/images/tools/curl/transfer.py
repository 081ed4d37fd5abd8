"""One URL: request, answer, redirects."""

from __future__ import annotations

import base64
import http.client
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from meshcourse.embedded.images.tools.curl import errors, wire
from meshcourse.embedded.images.tools.curl.errors import CurlError
from meshcourse.embedded.images.tools.curl.options import Options

AGENT = "curl/8.16.0-meshcourse"
CHUNK = 64 * 1024


@dataclass
class Result:
    """What is known of a transfer when it ends, well or not."""

    url: str
    method: str = ""
    times: wire.Times = field(default_factory=wire.Times)
    status: int = 0
    version: str = "0"
    headers: list[tuple[str, str]] = field(default_factory=list)
    header_size: int = 0
    size: int = 0
    connects: int = 0
    redirects: int = 0
    redirect_url: str = ""
    remote: tuple[str, int] = ("", 0)
    local: tuple[str, int] = ("", 0)
    error: CurlError | None = None

    def header(self, name: str) -> str:
        """An answer's header ("" without)."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


Head = Callable[[str], None]


@dataclass
class Sinks:
    """Where what arrives goes: the body's stream, the head (status line and headers), and -v's remarks."""

    body: Callable[[], BinaryIO]
    head: Head
    tell: wire.Tell


def run(options: Options, url: str, result: Result, sinks: Sinks) -> None:
    """Fetch a URL, following redirects if asked to; fills `result`.

    :raises CurlError: if it fails.
    """
    method = options.method or _default_method(options)
    body = None if options.get else options.data
    if options.get and options.data:
        url += ("&" if "?" in url else "?") + options.data.decode()
    while True:
        result.url, result.method = url, method
        _once(options, url, method, body, result, sinks)
        location = result.header("location")
        result.redirect_url = (
            urljoin(url, location) if 300 <= result.status < 400 and location else ""
        )
        if not (options.follow and result.redirect_url):
            return
        if result.redirects >= options.max_redirects:
            raise CurlError(
                errors.TOO_MANY_REDIRECTS, f"Maximum ({options.max_redirects}) redirects followed"
            )
        result.redirects += 1
        url = result.redirect_url
        sinks.tell(f"* Issue another request to this URL: '{url}'")
        if not options.method and (
            result.status == 303 or (result.status in (301, 302) and method == "POST")
        ):
            method, body = ("HEAD" if options.head else "GET"), None


def _default_method(options: Options) -> str:
    if options.head:
        return "HEAD"
    return "POST" if options.data is not None and not options.get else "GET"


def split(url: str) -> SplitResult:
    """The parts of a URL.

    :raises CurlError: if there is no host, or the scheme is not HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in wire.PORTS:
        raise CurlError(errors.UNSUPPORTED_PROTOCOL, f'Protocol "{parts.scheme}" not supported')
    if not parts.hostname:
        raise CurlError(errors.MALFORMED_URL, "URL rejected: No host part in the URL")
    return parts


def _once(
    options: Options, url: str, method: str, body: bytes | None, result: Result, sinks: Sinks
) -> None:
    parts = split(url)
    result.status, result.headers = 0, []
    line = wire.open_line(options, parts, result.times, sinks.tell)
    result.connects += 1
    result.remote, result.local = line.socket.getpeername()[:2], line.socket.getsockname()[:2]
    connection = http.client.HTTPConnection(line.host, line.port)
    connection.sock = line.socket
    try:
        _ask(connection, options, parts, line.absolute, method, body, sinks.tell)
        _listen(connection, options, result, sinks)
    except http.client.IncompleteRead as error:
        raise CurlError(errors.PARTIAL, "end of response with bytes missing") from error
    except http.client.RemoteDisconnected as error:
        raise CurlError(errors.EMPTY_REPLY, "Empty reply from server") from error
    except http.client.HTTPException as error:
        raise CurlError(1, f"Received HTTP/0.9 when not allowed ({error})") from error
    except OSError as error:
        raise errors.of_receiving(error, result.times.now() * 1000, result.size) from error
    finally:
        connection.close()
        result.times.total = result.times.now()


def request_headers(
    options: Options, parts: SplitResult, body: bytes | None
) -> list[tuple[str, str]]:
    """The headers of a request: curl's own, unless -H replaces or (``-H 'Name:'``) removes them, then -H's."""
    host = parts.netloc.rpartition("@")[2]
    own = [("Host", host), ("User-Agent", options.agent or AGENT), ("Accept", "*/*")]
    credentials = options.user or parts.netloc.rpartition("@")[0]
    if options.bearer:
        own.append(("Authorization", f"Bearer {options.bearer}"))
    elif credentials:
        own.append(("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode()))
    own += [
        (name, value)
        for name, value in (("Referer", options.referer), ("Cookie", options.cookie))
        if value
    ]
    if body is not None:
        kind = "application/json" if options.json else "application/x-www-form-urlencoded"
        own += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        if options.json:
            own = [("Accept", kind) if name == "Accept" else (name, value) for name, value in own]
    given = [_header(text) for text in options.headers]
    replaced = {name.lower() for name, _ in given}
    return [pair for pair in own if pair[0].lower() not in replaced] + [
        (name, value) for name, value in given if value is not None
    ]


def _header(text: str) -> tuple[str, str | None]:
    """``Name: value``; ``Name:`` removes (None), ``Name;`` sends it empty."""
    name, colon, value = text.partition(":")
    if colon:
        return name.strip(), value.strip() or None
    return text.rstrip(";").strip(), ""


def _ask(
    connection: http.client.HTTPConnection,
    options: Options,
    parts: SplitResult,
    absolute: bool,
    method: str,
    body: bytes | None,
    tell: wire.Tell,
) -> None:
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    target = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}" if absolute else path
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    tell(f"> {method} {target} HTTP/1.1")
    for name, value in request_headers(options, parts, body):
        connection.putheader(name, value)
        tell(f"> {name}: {value}")
    tell(">")
    connection.endheaders(body)


def _listen(
    connection: http.client.HTTPConnection, options: Options, result: Result, sinks: Sinks
) -> None:
    assert connection.sock is not None
    connection.sock.settimeout(wire.timeout(options, result.times))
    with connection.getresponse() as response:
        result.times.first_byte = result.times.now()
        result.status = response.status
        result.version = {10: "1.0", 11: "1.1"}.get(response.version, "1.1")
        result.headers = response.getheaders()
        lines = [f"HTTP/{result.version} {response.status} {response.reason}".rstrip()]
        lines += [f"{name}: {value}" for name, value in result.headers]
        result.header_size += sum(len(line) + 2 for line in lines) + 2
        for text in lines:
            sinks.tell(f"< {text}")
            sinks.head(text + "\r\n")
        sinks.tell("<")
        sinks.head("\r\n")
        if options.fail and not options.fail_with_body and response.status >= 400:
            raise _http_error(response.status)
        _copy(connection, response, options, result, sinks)
    if options.fail_with_body and result.status >= 400:
        raise _http_error(result.status)
    sinks.tell(f"* shutting down connection to host {connection.host}")


def _http_error(status: int) -> CurlError:
    return CurlError(errors.HTTP_ERROR, f"The requested URL returned error: {status}")


def _copy(
    connection: http.client.HTTPConnection,
    response: http.client.HTTPResponse,
    options: Options,
    result: Result,
    sinks: Sinks,
) -> None:
    follow = options.follow and 300 <= response.status < 400 and result.header("location")
    stream: BinaryIO | None = None
    for piece in _pieces(connection, response, options, result):
        result.size += len(piece)
        if follow:
            continue
        stream = stream or sinks.body()
        try:
            stream.write(piece)
            stream.flush()
        except BrokenPipeError as error:
            raise CurlError(errors.WRITE_ERROR, "Failure writing output to destination") from error
    if stream is None and not follow and options.output not in ("", "-", os.devnull):
        sinks.body()  # an empty answer still makes its file


def _pieces(
    connection: http.client.HTTPConnection,
    response: http.client.HTTPResponse,
    options: Options,
    result: Result,
) -> Iterator[bytes]:
    while True:
        if connection.sock is not None:
            connection.sock.settimeout(wire.timeout(options, result.times))
        piece = response.read1(CHUNK)
        if not piece:
            # read1 does not complain about a body that ends early.
            if response.length:
                missing = f"end of response with {response.length} bytes missing"
                raise CurlError(errors.PARTIAL, missing)
            return
        yield piece
