"""curl's exit codes and the words that go with them (curl.se/libcurl/c/libcurl-errors.html)."""

from __future__ import annotations

import socket
import ssl

UNSUPPORTED_PROTOCOL = 1
USAGE = 2
MALFORMED_URL = 3
NO_PROXY_HOST = 5
NO_HOST = 6
NO_CONNECTION = 7
PARTIAL = 18
HTTP_ERROR = 22
WRITE_ERROR = 23
TIMED_OUT = 28
TLS_FAILED = 35
TOO_MANY_REDIRECTS = 47
EMPTY_REPLY = 52
RECEIVE_FAILED = 56
CERTIFICATE = 60


class CurlError(Exception):
    """A transfer that failed: curl's exit code and its message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __str__(self) -> str:
        return f"curl: ({self.code}) {self.args[0]}"


class UsageError(CurlError):
    """Options that make no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(USAGE, message)

    def __str__(self) -> str:
        return f"curl: {self.args[0]}\ncurl: try 'curl --help' for more information"


def of_tls(error: ssl.SSLError) -> CurlError:
    """A handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CurlError(CERTIFICATE, f"SSL certificate problem: {error.verify_message}")
    return CurlError(TLS_FAILED, f"TLS connect error: {error.reason or error}")


def of_receiving(error: OSError, milliseconds: float, received: int) -> CurlError:
    """A connection that failed while an answer was awaited."""
    if isinstance(error, (TimeoutError, socket.timeout)):
        return CurlError(
            TIMED_OUT,
            f"Operation timed out after {milliseconds:.0f} milliseconds with {received} bytes received",
        )
    if isinstance(error, ssl.SSLError):
        return CurlError(RECEIVE_FAILED, f"OpenSSL SSL_read: {error.reason or error}")
    return CurlError(RECEIVE_FAILED, f"Recv failure: {error.strerror or error}")
