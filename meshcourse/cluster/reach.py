"""From a Service to a URL that this machine can open. Pure choices; the sockets are in `portforward`."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import util
from typing import Any
from urllib.parse import urlsplit

from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.manifests import Object, dig, name_of


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a Service."""

    name: str
    number: int
    target: int | str

    @property
    def scheme(self) -> str:
        return "https" if self.name.startswith("https") or self.number == 443 else "http"


def choose(service: Object, wanted: int | str | None = None) -> Port:
    """The port meant: by number or name, otherwise the one that speaks plain HTTP, otherwise the first.

    :raises ClusterError: if the Service has no such port.
    """
    ports = [_port(item) for item in dig(service, "spec.ports", [])]
    if wanted is None:
        plain = [port for port in ports if port.name.startswith("http") and port.scheme == "http"]
        ports = plain or [port for port in ports if port.number == 80] or ports
    else:
        ports = [port for port in ports if wanted in (port.number, port.name)]
    if not ports:
        known = ", ".join(
            f"{p['port']} ({p.get('name', '-')})" for p in dig(service, "spec.ports", [])
        )
        raise ClusterError(
            f"service {name_of(service)} has no port {wanted or ''}".rstrip(),
            remedy=f"Its ports are: {known or 'none'}.",
        )
    return ports[0]


def load_balancer(service: Object) -> str:
    """The address that a load balancer gave the Service, "" if none (yet)."""
    for item in dig(service, "status.loadBalancer.ingress", []):
        if found := item.get("ip") or item.get("hostname"):
            return str(found)
    return ""


def url(port: Port, host: str, number: int, path: str = "") -> str:
    """``http://host:port/path`` without a port that goes without saying."""
    usual = {"http": 80, "https": 443}[port.scheme]
    netloc = f"[{host}]" if ":" in host else host
    if number != usual:
        netloc += f":{number}"
    return f"{port.scheme}://{netloc}{path if path.startswith('/') or not path else '/' + path}"


def clickable(target: str, environment: Mapping[str, str] = os.environ) -> str:
    """What a learner's browser opens for a URL that this machine opens.

    In JupyterHub and Binder the browser is elsewhere: this machine's own addresses are reached through the hub, by the
    paths of jupyter-server-proxy (``PREFIX/proxy/HOST:PORT/PATH``; HTTP only). Everything else stays as it is.
    """
    prefix, parts = environment.get("JUPYTERHUB_SERVICE_PREFIX", ""), urlsplit(target)
    host = parts.hostname or ""
    if not prefix or parts.scheme != "http" or not _loopback(host) or not _proxied():
        return target
    port = parts.port or 80
    at = str(port) if host in ("127.0.0.1", "localhost") else f"{host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{prefix.rstrip('/')}/proxy/{at}{parts.path or '/'}{query}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxied() -> bool:
    return util.find_spec("jupyter_server_proxy") is not None


def _port(item: dict[str, Any]) -> Port:
    number = int(item["port"])
    return Port(str(item.get("name") or ""), number, item.get("targetPort", number))
