"""ratelimit: envoy.service.ratelimit.v3.RateLimitService with envoyproxy/ratelimit's configuration files.

A stand-in: it counts in its own memory, where the real one counts in redis for all its replicas.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import yaml
from aiohttp import web

from meshcourse.embedded.images import common, protos
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.policy import limits

HTTP_PORT = 8080
GRPC_PORT = 8081
OK, OVER_LIMIT = 1, 2

#: The parts of envoy.service.ratelimit.v3 that are used.
_MESSAGES = {
    "Entry": "string key=1, string value=2",
    "Descriptor": "*Entry entries=1",
    "RateLimitRequest": "string domain=1, *Descriptor descriptors=2, uint32 hits_addend=3",
    "RateLimit": "uint32 requests_per_unit=1, enum unit=2, string name=3",
    "Duration": "int64 seconds=1, int32 nanos=2",
    "DescriptorStatus": (
        "enum code=1, RateLimit current_limit=2, uint32 limit_remaining=3, Duration duration_until_reset=4"
    ),
    "RateLimitResponse": "enum overall_code=1, *DescriptorStatus statuses=2",
}
MESSAGES = protos.classes("meshcourse.rate_limit", _MESSAGES)


class Config:
    """The configuration files of a folder, read again when one changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, int] = {}
        self.domains: dict[str, limits.Rule] = {}

    def refresh(self) -> None:
        """Read what has changed; a file that makes no sense leaves the rules as they were, and a line in the log."""
        files = {path: path.stat().st_mtime_ns for path in sorted(self._folder.glob("*.yaml"))}
        if files == self._seen:
            return
        self._seen = files
        try:
            loaded = [
                limits.parse(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in files
            ]
        except (limits.ConfigError, yaml.YAMLError, ValueError) as error:
            common.complain(f"error loading new configuration: {error}")
            return
        self.domains = dict(loaded)
        common.say(f"rules for {', '.join(self.domains) or 'no domain'}")


def folder(env: Mapping[str, str] = os.environ) -> Path:
    """Where the configuration is, as RUNTIME_ROOT and RUNTIME_SUBDIRECTORY say."""
    root = env.get("RUNTIME_ROOT", "/srv/runtime_data/current")
    return common.mounted(f"{root}/{env.get('RUNTIME_SUBDIRECTORY', '')}/config", env)


class RateLimits:
    """The service."""

    def __init__(self, config: Config, counter: limits.Counter) -> None:
        self._config = config
        self._counter = counter

    def answer(self, request: Any) -> Any:
        """The response to a RateLimitRequest: over if one descriptor is."""
        self._config.refresh()
        root = self._config.domains.get(request.domain, limits.Rule())
        verdicts = []
        for descriptor in request.descriptors:
            entries = [(entry.key, entry.value) for entry in descriptor.entries]
            rule = limits.find(root, entries)
            verdicts.append(
                self._counter.hit(request.domain, rule, entries, max(request.hits_addend, 1))
            )
        over = any(verdict.over for verdict in verdicts)
        return MESSAGES["RateLimitResponse"](
            overall_code=OVER_LIMIT if over else OK,
            statuses=[_status(verdict) for verdict in verdicts],
        )

    async def check(self, request: Any, context: Any) -> Any:
        """``ShouldRateLimit``."""
        response = self.answer(request)
        code = "OVER_LIMIT" if response.overall_code == OVER_LIMIT else "OK"
        common.say(f"domain {request.domain}: {len(request.descriptors)} descriptors, {code}")
        return response


def _status(verdict: limits.Verdict) -> Any:
    status = MESSAGES["DescriptorStatus"](code=OVER_LIMIT if verdict.over else OK)
    if verdict.limit is not None:
        status.current_limit.requests_per_unit = verdict.limit.requests
        status.current_limit.unit = limits.UNITS[verdict.limit.unit][0]
        status.limit_remaining = verdict.remaining
        status.duration_until_reset.seconds = verdict.reset
    return status


async def start(service: RateLimits, address: str) -> tuple[Any, int]:
    """Start the gRPC server; the server and its real port."""
    handler = grpc.unary_unary_rpc_method_handler(
        service.check,
        request_deserializer=MESSAGES["RateLimitRequest"].FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    name = "envoy.service.ratelimit.v3.RateLimitService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(name, {"ShouldRateLimit": handler}),)
    )
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


def application(config: Config) -> web.Application:
    """``/healthcheck``, and ``/rlconfig`` with the domains that there are rules for."""
    app = serving.application("")

    async def health(request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def domains(request: web.Request) -> web.Response:
        config.refresh()
        return web.Response(text="".join(f"{name}\n" for name in config.domains))

    app.router.add_get("/healthcheck", health)
    app.router.add_get("/rlconfig", domains)
    return app


async def _serve() -> None:
    config = Config(folder())
    config.refresh()
    host, port = common.listen(GRPC_PORT)
    server, _ = await start(RateLimits(config, limits.Counter(time.time)), f"{host}:{port}")
    common.say(f"meshcourse stand-in for ratelimit, counting in memory, at grpc://{host}:{port}")
    try:
        await serving.serve(application(config), HTTP_PORT)
    finally:
        await server.stop(serving.GRACE)


def main(argv: list[str]) -> int:
    """Image envoyproxy/ratelimit."""
    return common.run(_serve)
