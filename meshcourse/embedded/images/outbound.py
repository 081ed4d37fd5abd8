"""Calls out of an image: plain HTTP and TCP through the standard proxy variables, so that the sidecar sees them.

A real sidecar catches packets with iptables. Here it is the pod's ``http_proxy``, as curl, requests or grpcio would
use it; without one (outside a pod, in a test) calls go straight to their host.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

#: Seconds an idle connection is kept. Short, so that a sidecar which restarts meets few stale ones; aiohttp repeats a
#: GET once by itself when a pooled connection turns out to be dead.
POOL_IDLE = 30.0


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy of each scheme ("" for none) and the hosts that go without."""

    http: str = ""
    https: str = ""
    bypass: str = ""

    @staticmethod
    def from_environment(env: Mapping[str, str] = os.environ) -> Proxies:
        """As curl reads them: lower case first, and `HTTP_PROXY` in capitals never (a CGI request could set it)."""
        return Proxies(
            env.get("http_proxy", ""),
            env.get("https_proxy") or env.get("HTTPS_PROXY", ""),
            env.get("no_proxy") or env.get("NO_PROXY", ""),
        )

    def of(self, scheme: str, host: str) -> str | None:
        """The proxy to use for a host, or None for a direct connection."""
        proxy = self.https if scheme == "https" else self.http
        if not proxy or bypasses(host, self.bypass):
            return None
        return proxy


def bypasses(host: str, no_proxy: str) -> bool:
    """Whether a `no_proxy` list names a host: ``*``, the host, a domain above it, or a network (``10.0.0.0/8``)."""
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        name = entry.lstrip(".")
        if entry == "*" or (name and (host.lower() == name or host.lower().endswith("." + name))):
            return True
        if "/" in entry and _in_network(host, entry):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status: int
    body: bytes


class Unreachable(Exception):
    """No answer: refused, reset, no such host, or not in time."""


class Http:
    """An HTTP client with a pool of connections, one per process: made inside the event loop, closed at the end."""

    def __init__(self, proxies: Proxies | None = None) -> None:
        self._proxies = proxies or Proxies.from_environment()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=POOL_IDLE, use_dns_cache=False)
        # Cookies are the caller's: a jar would mix those of different users.
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Answer:
        """GET; `seconds` bounds the connection and each wait for bytes, as Python's requests and JAX-RS count it.

        :raises Unreachable: if no whole answer came.
        """
        parts = urlsplit(url)
        proxy = self._proxies.of(parts.scheme, parts.hostname or "")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
        try:
            async with self._session.get(
                url, headers=headers, proxy=proxy, timeout=timeout
            ) as response:
                return Answer(response.status, await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close every pooled connection."""
        await self._session.close()


async def connect(
    host: str, port: int, proxies: Proxies | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection to a Service, by CONNECT where a proxy is set.

    :raises Unreachable: if it cannot be had.
    """
    proxy = (proxies or Proxies.from_environment()).of("http", host)
    try:
        if proxy is None:
            return await asyncio.open_connection(host, port)
        parts = urlsplit(proxy)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        try:
            await _tunnel(reader, writer, f"{host}:{port}")
        except BaseException:
            writer.close()
            raise
        return reader, writer
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Unreachable(f"{host}:{port}: {error}") from error


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str
) -> None:
    writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise ConnectionRefusedError(f"the proxy answered {status!r}")
