"""Where a webhook listens: its URL, or a pod behind the Service that its configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from meshcourse.embedded.apiserver import reach
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Destination:
    """`url` is how messages name it; `host` and `port` are where to connect; `name` is what TLS must prove."""

    url: str
    host: str
    port: int
    name: str

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")


def find(store: Store, client_config: Object) -> Destination:
    """The destination of a ``WebhookClientConfig``.

    :raises Unreachable: if the Service, its port or a ready endpoint is missing.
    """
    if client_config.get("url"):
        parts = urlsplit(client_config["url"])
        host = parts.hostname or ""
        return Destination(client_config["url"], host, parts.port or 443, host)
    service = client_config["service"]
    name, namespace = service["name"], service["namespace"]
    port = int(service.get("port") or 443)
    server = server_name(name, namespace)
    host, real = reach.service(store, namespace, name, str(port))
    path = service.get("path") or "/"
    return Destination(f"https://{server}:{port}{path}", host, real, server)


def server_name(name: str, namespace: str) -> str:
    """The name that a webhook's certificate must be for."""
    return f"{name}.{namespace}.svc"
