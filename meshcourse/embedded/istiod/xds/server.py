"""The ADS server: state-of-the-world xDS v3 over mutual TLS.

A proxy is who its certificate says it is: the SPIFFE identity must match the namespace and service
account of its node, as istiod's ``PILOT_ENABLE_XDS_IDENTITY_CHECK`` demands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format

from meshcourse.embedded.istiod import metrics
from meshcourse.embedded.istiod.ca import identity
from meshcourse.embedded.istiod.xds import nodes
from meshcourse.embedded.istiod.xds.connection import Connection
from meshcourse.embedded.istiod.xds.delivery import Request, Timing

log = logging.getLogger("ads")

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_OPTIONS = (
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.so_reuseport", 0),
    # Proxies ping every 30 s to notice a dead istiod; gRPC would take that for abuse and hang up.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    # And we ping, to notice dead proxies.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
#: Told when a proxy came (True) or went (False).
OnChange = Callable[[Connection, bool], None]


class AdsServer:
    """Keeps the streams. Give each connection its target with `Connection.retarget`."""

    def __init__(
        self,
        on_change: OnChange,
        on_nack: Callable[[Connection, str, str], None],
        timing: Timing | None = None,
    ) -> None:
        self.connections: dict[str, Connection] = {}
        self._on_change = on_change
        self._on_nack = on_nack
        self._timing = timing or Timing()
        self._server: grpc.aio.Server | None = None

    async def start(self, host: str, port: int, credentials: grpc.ServerCredentials) -> int:
        """Listen; returns the real port (for `port` 0).

        :raises RuntimeError: if the address cannot be had.
        """
        self._server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=discovery_pb2.DiscoveryRequest.FromString
        )
        methods = {"StreamAggregatedResources": handler}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, methods),)
        )
        bound: int = self._server.add_secure_port(f"{host}:{port}", credentials)
        await self._server.start()
        return bound

    async def stop(self, grace: float = 0.1) -> None:
        """End all streams; proxies keep what they have and come back."""
        if self._server is not None:
            await self._server.stop(grace)

    async def _stream(self, requests: AsyncIterator[Any], context: Any) -> None:
        connection: Connection | None = None
        sender: asyncio.Task[None] | None = None
        try:
            async for message in requests:
                if connection is None:
                    connection = await self._open(message, context)
                    sender = asyncio.create_task(_send(connection, context))
                connection.receive(_request(message))
        finally:
            # No await before this is done: gRPC may cancel us here a second time.
            if connection is not None:
                self._close(connection)
            if sender is not None:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)

    async def _open(self, message: Any, context: Any) -> Connection:
        try:
            node = nodes.parse(message.node.id, json_format.MessageToDict(message.node.metadata))
        except nodes.BadNode as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        await _authorize(node, context)
        connection = Connection(node, context.peer(), self._timing, self._on_nack)
        self.connections[connection.id] = connection
        metrics.XDS.set(len(self.connections))
        log.info("ADS: new connection for node:%s", connection.id)
        self._on_change(connection, True)
        return connection

    def _close(self, connection: Connection) -> None:
        connection.close()
        self.connections.pop(connection.id, None)
        metrics.XDS.set(len(self.connections))
        log.info("ADS: %s terminated", connection.id)
        self._on_change(connection, False)


async def _send(connection: Connection, context: Any) -> None:
    while True:
        await connection.wake.wait()
        connection.wake.clear()
        for response in connection.take():
            await context.write(response)


async def _authorize(node: nodes.Node, context: Any) -> None:
    uris = peer_uris(context.auth_context())
    if identity.matching(uris, node.namespace, node.service_account) is None:
        listed = " ".join(uris)
        why = f"no identities ([{listed}]) matched {node.namespace}/{node.service_account}"
        log.warning("Unauthorized XDS: %s with identity [%s]: %s", context.peer(), listed, why)
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"authorization failed: {why}")


def peer_uris(auth_context: dict[str, Iterable[bytes]]) -> list[str]:
    """URIs of the client certificate."""
    return [uri.decode() for uri in auth_context.get("peer_uri", ())]


def _request(message: Any) -> Request:
    failed = message.HasField("error_detail")
    return Request(
        type_url=message.type_url,
        names=tuple(message.resource_names),
        nonce=message.response_nonce,
        version=message.version_info,
        error=(message.error_detail.message or "rejected") if failed else "",
    )
