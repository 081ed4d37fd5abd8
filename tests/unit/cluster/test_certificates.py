"""Certificates for lessons: a client that trusts the authority trusts the server, and nobody else reads the key."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from meshcourse.cluster import certificates


def served(files: certificates.Files, client: ssl.SSLContext, host: str) -> str:
    """The common name that a server with these files shows a client."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    left, right = socket.socketpair()

    def answer() -> None:
        with left:
            try:
                server.wrap_socket(left, server_side=True).close()
            except ssl.SSLError:
                pass  # the client did not like it

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with right, client.wrap_socket(right, server_hostname=host) as secure:
            subject = dict(pair[0] for pair in (secure.getpeercert() or {})["subject"])  # type: ignore[misc]
            return str(subject["commonName"])
    finally:
        thread.join()


def test_trusted_by_those_who_know_the_authority(tmp_path: Path) -> None:
    files = certificates.make("shop.example.com", tmp_path)
    client = ssl.create_default_context(cafile=str(files.authority))
    assert served(files, client, "shop.example.com") == "shop.example.com"
    with pytest.raises(ssl.SSLCertVerificationError):
        served(files, client, "other.example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        served(files, ssl.create_default_context(), "shop.example.com")


def test_private(tmp_path: Path) -> None:
    files = certificates.make("shop.example.com", tmp_path)
    again = certificates.make("shop.example.com", tmp_path)
    assert files == again
    assert files.key.stat().st_mode & 0o777 == 0o600
