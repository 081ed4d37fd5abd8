"""gRPC for the boutique: serving a service with health checks, and calling another with the caller's trace headers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from meshcourse.embedded.images import common, web
from meshcourse.embedded.images.boutique import messages

#: Headers that tie the calls of one request together. Upstream forwards W3C's; B3 and the request id are added,
#: for a proxy that writes those.
TRACING = (
    "traceparent",
    "tracestate",
    "baggage",
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
)
#: A sidecar that is not there yet is tried again soon: gRPC's own first pause is a second, its last two minutes.
_CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
#: grpc.health.v1.HealthCheckResponse{status: SERVING} on the wire.
_SERVING = b"\x08\x01"

Metadata = tuple[tuple[str, str], ...]
#: A method: request and the trace headers to send on → response.
Method = Callable[[Any, Metadata], Awaitable[Any]]


class Failed(Exception):
    """What a method answers instead of a response."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


def tracing(headers: Mapping[str, str]) -> Metadata:
    """The trace headers among a request's headers (names in lower case, or a mapping that ignores case)."""
    return tuple((name, headers[name]) for name in TRACING if name in headers)


def describe(error: grpc.aio.AioRpcError) -> str:
    """An error in the words of Go's client, which most of the shop was written in."""
    name = "".join(part.capitalize() for part in error.code().name.split("_"))
    return f"rpc error: code = {name} desc = {error.details()}"


class Backend:
    """Another service, at an address ``host:port``; made inside the event loop, closed at the end."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL)
        self._methods: dict[str, Any] = {}

    async def call(
        self, method: str, request: Any, forward: Metadata, seconds: float | None = None
    ) -> Any:
        """Call ``Service/Method``.

        :param seconds: a deadline; None for none, as upstream has it.
        :raises grpc.aio.AioRpcError: if it fails.
        """
        if method not in self._methods:
            service, name = method.split("/")
            _, response = messages.SERVICES[service][name]
            self._methods[method] = self._channel.unary_unary(
                f"/{messages.PACKAGE}.{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=messages.of(response).FromString,
            )
        return await self._methods[method](request, metadata=forward, timeout=seconds)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _line(method: str, code: grpc.StatusCode, began: float, headers: Mapping[str, str]) -> None:
    took = (time.monotonic() - began) * 1000
    common.say(f'"{method}" {code.name} {took:.1f}ms {headers.get("x-request-id", "-")}')


def _wrapped(path: str, method: Method) -> Callable[[Any, Any], Awaitable[Any]]:
    async def run(request: Any, context: Any) -> Any:
        headers = dict(context.invocation_metadata() or ())
        began, failure = time.monotonic(), None
        try:
            response = await method(request, tracing(headers))
        except Failed as error:
            failure = error
        except grpc.aio.AioRpcError as error:
            failure = Failed(error.code(), error.details() or "")
        _line(path, failure.code if failure else grpc.StatusCode.OK, began, headers)
        if failure:
            await context.abort(failure.code, failure.details)
        return response

    return run


def _handlers(service: str, methods: Mapping[str, Method]) -> grpc.GenericRpcHandler:
    table = {
        name: grpc.unary_unary_rpc_method_handler(
            _wrapped(f"{messages.PACKAGE}.{service}/{name}", method),
            request_deserializer=messages.of(messages.SERVICES[service][name][0]).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        for name, method in methods.items()
    }
    return grpc.method_handlers_generic_handler(f"{messages.PACKAGE}.{service}", table)


async def _healthy(request: bytes, context: Any) -> bytes:
    return _SERVING


def _health() -> grpc.GenericRpcHandler:
    """``grpc.health.v1.Health/Check``, which the kubelet's gRPC probes call; Watch is not implemented, as upstream."""
    check = grpc.unary_unary_rpc_method_handler(_healthy)
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


async def start(service: str, methods: Mapping[str, Method], address: str) -> tuple[Any, int]:
    """Start a server for ``{"Method": coroutine}`` at ``host:port``; the server and its real port.

    :raises OSError: if the address cannot be had.
    """
    if set(methods) != set(messages.SERVICES[service]):
        raise ValueError(f"{service} has methods {sorted(messages.SERVICES[service])}")
    # Without so_reuseport=0 two processes would silently share a port.
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((_handlers(service, methods), _health()))
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"{address}: {error}") from error
    await server.start()
    return server, port


async def serve(
    service: str, methods: Mapping[str, Method], port: int, backends: Sequence[Backend] = ()
) -> None:
    """Serve at container port `port` until SIGTERM; calls in flight are answered, `backends` closed."""
    host, real = common.listen(port)
    server, _ = await start(service, methods, f"{host}:{real}")
    try:
        common.say(f"{service} listening on grpc://{host}:{real}")
        await common.until_stopped()
        await asyncio.sleep(float(os.environ.get("MESHCOURSE_DRAIN_SECONDS", web.DRAIN)))
    finally:
        await server.stop(web.GRACE)
        for backend in backends:
            await backend.close()


def port_of(default: int, env: Mapping[str, str] = os.environ) -> int:
    """The port in PORT, else the service's own."""
    return int(env.get("PORT") or default)


def address_of(name: str, env: Mapping[str, str] = os.environ) -> str:
    """The address in an environment variable.

    :raises SystemExit: if it is not set, in the words of the original's panic.
    """
    address = env.get(name, "")
    if not address:
        raise SystemExit(f'environment variable "{name}" not set')
    return address
