"""What is asked of the simulator, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One hypothetical request or connection.

    :param authority: host and port as the client writes them: ``reviews:9080``.
    :param path: with its query.
    :param principal: the client's SPIFFE id over mutual TLS, "" for plaintext.
    :param source_ip: the client's address.
    :param tls: whether the client speaks TLS of its own (to a gateway, or through a mesh as an
        application).
    :param server_name: of that TLS handshake.
    :param claims: of a validated token.
    :param tcp: a connection without requests (CONNECT through a sidecar).
    """

    authority: str = ""
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "http"
    principal: str = ""
    source_ip: str = "127.0.0.1"
    tls: bool = False
    server_name: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    tcp: bool = False

    @property
    def plain_path(self) -> str:
        """The path without query."""
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        """Query parameters, the first value of each."""
        pairs = parse_qsl(urlsplit(self.path).query, keep_blank_values=True)
        return dict(reversed(pairs))

    def header(self, name: str) -> str | None:
        """A header or pseudo-header; None if absent."""
        pseudo = {
            ":authority": self.authority,
            ":path": self.path,
            ":method": self.method,
            ":scheme": self.scheme,
        }
        if name in pseudo:
            return pseudo[name]
        return next((one for key, one in self.headers.items() if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Step:
    """One station: ``listener``, ``filter chain``, ``policy``, ``virtual host``, ``route``,
    ``cluster`` …
    """

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a request ends.

    :param status: the response made by Envoy itself (redirect, direct response, denial, no route);
        None if a server answers.
    :param failure: why it goes no further, in words; "" if it does.
    :param hints: what would have to be different, nearest first.
    :param flag: Envoy's response flag of the failure (NR, UH, NC, UAEX …).
    :param clusters: the share (percent) of each cluster that may get it.
    :param endpoints: addresses by cluster, of hosts that get requests.
    :param transports: how each address is called: ``mutual TLS``, ``TLS``, ``plaintext``.
    :param mirrors: clusters that get a copy, with the share of requests.
    :param route: the Envoy route that matched (JSON), for what else it does.
    :param sent: the request as the next one sees it (rewritten path, host, headers).
    """

    steps: tuple[Step, ...] = ()
    status: int | None = None
    failure: str = ""
    hints: tuple[str, ...] = ()
    flag: str = ""
    clusters: Mapping[str, float] = field(default_factory=dict)
    endpoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    transports: Mapping[str, str] = field(default_factory=dict)
    mirrors: Mapping[str, float] = field(default_factory=dict)
    route: Mapping[str, Any] = field(default_factory=dict)
    sent: Request | None = None

    @property
    def ok(self) -> bool:
        """Whether some endpoint gets it."""
        return not self.failure and bool(self.clusters)

    def step(self, kind: str) -> str:
        """The name of the first station of a kind; "" if there was none."""
        return next((one.name for one in self.steps if one.kind == kind), "")
