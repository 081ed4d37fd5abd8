"""OTLP over gRPC: ``opentelemetry.proto.collector.trace.v1.TraceService/Export``."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from meshcourse.embedded.addons.jaeger import otlp
from meshcourse.embedded.addons.jaeger.store import Store

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


async def start(store: Store, host: str, port: int) -> Any:
    """A started ``grpc.aio`` server. :raises OSError: if the address is taken."""

    async def export(request: Any, context: Any) -> Any:
        try:
            store.add(otlp.decode(request))
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return trace_service_pb2.ExportTraceServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=trace_service_pb2.ExportTraceServiceRequest.FromString,
        response_serializer=trace_service_pb2.ExportTraceServiceResponse.SerializeToString,
    )
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),)
    )
    try:
        server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error}") from error
    await server.start()
    return server
