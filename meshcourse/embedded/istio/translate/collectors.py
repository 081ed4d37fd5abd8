"""Where log records go: the endpoints of the Fluentd cluster that every bootstrap has."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio import hosts, names
from meshcourse.embedded.istio.build import access_logs, proto
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Endpoint, Json, MeshConfig, Snapshot

_PORT: Final = 24224


def build(snapshot: Snapshot, memo: Memo) -> dict[str, Json]:
    """The load assignment of the collector, empty where there is none.

    There is one cluster, so the first provider with endpoints counts. It is reached in plaintext: the
    bootstrap cannot know about mutual TLS, so a collector must not have a sidecar.
    """
    found = next((one for one in _collectors(snapshot) if one), ())
    addresses = tuple((one.address, one.port) for one in found)
    return memo.get(
        ("collector", addresses),
        (),
        lambda: {
            names.FLUENTD: proto.static_assignment(
                names.FLUENTD, *(proto.address(*where) for where in addresses)
            )
        },
    )


def _collectors(snapshot: Snapshot) -> list[tuple[Endpoint, ...]]:
    mesh = snapshot.mesh
    result = []
    for provider in mesh.extension_providers:
        if provider.kind == access_logs.FLUENTD:
            written = str(provider.spec.get("service") or "").rpartition("/")[2]
            port = int(provider.spec.get("port") or _PORT)
            wanted = _spellings(written, mesh)
            result += [
                ports.get(port, ())
                for key, ports in snapshot.endpoints.items()
                if key.hostname in wanted
            ]
    return result


def _spellings(host: str, mesh: MeshConfig) -> tuple[str, ...]:
    """The full names that may be meant: ``fluent-bit.logging`` and ``fluent-bit.logging.svc``, too."""
    short = host.removesuffix(".svc")
    return hosts.resolve(host, mesh.root_namespace, mesh.domain), f"{short}.svc.{mesh.domain}"
