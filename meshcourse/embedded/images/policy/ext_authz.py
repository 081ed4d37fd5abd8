"""ext-authz: allows requests with the header ``x-ext-authz: allow`` and denies others, over HTTP and gRPC.

Behaviour of istio's samples/extauthz; the gRPC side is envoy.service.auth.v3.Authorization.
"""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from aiohttp import web

from meshcourse.embedded.images import common, protos
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.policy import jwt_server

HTTP_PORT = 8000
GRPC_PORT = 9000
CHECK = "x-ext-authz"
RESULT = "x-ext-authz-check-result"
RECEIVED = "x-ext-authz-check-received"
OVERRIDE = "x-ext-authz-additional-header-override"
GRPC_OVERRIDE = "grpc-additional-header-override-value"
DENIED = "denied by ext_authz for not found header `x-ext-authz: allow` in the request"
#: Envoy refuses headers longer than 60 KiB.
LONGEST = 60_000
PERMISSION_DENIED = 7

#: The parts of envoy.service.auth.v3 that are used; a map's entries are messages with key and value.
_MESSAGES = {
    "Pair": "string key=1, string value=2",
    "HttpRequest": "string id=1, string method=2, *Pair headers=3, string path=4, string host=5, string scheme=6",
    "Request": "HttpRequest http=2",
    "Peer": "string service=2, string principal=4",
    "AttributeContext": "Peer source=1, Peer destination=2, Request request=4",
    "CheckRequest": "AttributeContext attributes=1",
    "Status": "int32 code=1, string message=2",
    "HeaderValueOption": "Pair header=1",
    "HttpStatus": "enum code=1",
    "DeniedHttpResponse": "HttpStatus status=1, *HeaderValueOption headers=2, string body=3",
    "OkHttpResponse": "*HeaderValueOption headers=2",
    "CheckResponse": "Status status=1, DeniedHttpResponse denied_response=2, OkHttpResponse ok_response=3",
}
MESSAGES = protos.classes("meshcourse.ext_authz", _MESSAGES)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else "<too-long>"


def application() -> web.Application:
    """The HTTP side, an aiohttp application: any method, any path."""
    app = serving.application("")

    async def check(request: web.Request) -> web.Response:
        allowed = request.headers.get(CHECK) == "allow"
        body = (await request.read()).decode(errors="replace")
        seen = f"{request.method} {request.host}{request.path_qs}, headers: {dict(request.headers)}, body: [{body}]"
        result = "allowed" if allowed else "denied"
        common.say(f"[HTTP][{result}]: {_short(seen)}")
        headers = {
            RESULT: result,
            OVERRIDE: request.headers.get(OVERRIDE, ""),
            RECEIVED: _short(seen).encode("ascii", "replace").decode(),
        }
        return web.Response(
            status=200 if allowed else 403, headers=headers, text="" if allowed else DENIED
        )

    app.router.add_route("*", "/{path:.*}", check)
    return app


def decide(request: Any, account: str) -> bool:
    """The header if it is there; without it the caller's service account, out of its SPIFFE identity."""
    for pair in request.attributes.request.http.headers:
        if pair.key == CHECK:
            return bool(pair.value == "allow")
    return bool(request.attributes.source.principal.endswith(f"/sa/{account}"))


def answer(request: Any, account: str) -> Any:
    """The CheckResponse to a CheckRequest."""
    allowed = decide(request, account)
    http = request.attributes.request.http
    result = "allowed" if allowed else "denied"
    common.say(
        f"[gRPCv3][{result}]: {http.host}{http.path}, attributes: {_short(str(request.attributes))}"
    )
    pairs = {RESULT: result, RECEIVED: _short(str(request.attributes)), OVERRIDE: GRPC_OVERRIDE}
    headers = [{"header": {"key": key, "value": value}} for key, value in pairs.items()]
    if allowed:
        return MESSAGES["CheckResponse"](status={"code": 0}, ok_response={"headers": headers})
    denied = {"status": {"code": 403}, "headers": headers, "body": DENIED}
    return MESSAGES["CheckResponse"](status={"code": PERMISSION_DENIED}, denied_response=denied)


async def start(address: str, account: str) -> tuple[Any, int]:
    """Start the gRPC side; the server and its real port."""

    async def check(request: Any, context: Any) -> Any:
        return answer(request, account)

    handler = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=MESSAGES["CheckRequest"].FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    service = grpc.method_handlers_generic_handler(
        "envoy.service.auth.v3.Authorization", {"Check": handler}
    )
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


async def _serve(given: dict[str, str]) -> None:
    host, port = common.listen(int(given.get("grpc", GRPC_PORT)))
    server, _ = await start(f"{host}:{port}", given.get("allow_service_account", "a"))
    common.say(f"listening on grpc://{host}:{port}")
    try:
        await serving.serve(application(), int(given.get("http", HTTP_PORT)))
    finally:
        await server.stop(serving.GRACE)


def main(argv: list[str]) -> int:
    """Image ext-authz."""
    return common.run(lambda: _serve(jwt_server.flags(argv)))
