"""EnvoyFilter through real Envoys: the patches of Istio's samples (rate limits, Lua)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from envoy.service.ratelimit.v3 import rls_pb2

from tests.integration.istio import live
from tests.unit.istio.mesh import add_gateway

NETWORK = "127.155"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """A gateway in front of `web`, and a client with a sidecar."""
    folder: Path = tmp_path_factory.mktemp("envoyfilter")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("web")
        for app in ("web", "client"):
            await found.pod(app)
        await found.adopt(add_gateway(found.mesh), "istio-system")
        await found.apply(FRONT)
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


FRONT = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front}
spec: {hosts: ["*"], gateways: [front], http: [{route: [{destination: {host: web}}]}]}
"""


async def call(mesh: live.Live, path: str = "/", **more: Any) -> live.Answer:
    pod = next(name for name in mesh.pods if name.startswith("client"))
    return await mesh.get(pod, f"http://web:9080{path}", **more)


async def enter(mesh: live.Live, path: str = "/") -> live.Answer:
    name = next(name for name in mesh.pods if name.startswith("istio-ingressgateway"))
    host = mesh.mesh.snapshot().workloads[mesh.pods[name]].addresses.pod_ip
    return await mesh.fetch(f"http://{host}:8080{path}")


async def test_a_local_rate_limit_by_path(clean: live.Live) -> None:
    await clean.apply(
        """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: local, namespace: istio-system}
spec:
  workloadSelector: {labels: {app: web}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.local_ratelimit
        typed_config:
          "@type": type.googleapis.com/udpa.type.v1.TypedStruct
          type_url: type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          value: {stat_prefix: limiter}
  - applyTo: HTTP_ROUTE
    match:
      context: SIDECAR_INBOUND
      routeConfiguration: {vhost: {name: "inbound|http|9080", route: {action: ANY}}}
    patch:
      operation: MERGE
      value:
        route:
          rate_limits:
          - actions:
            - header_value_match:
                descriptor_value: few
                headers: [{name: ":path", string_match: {prefix: /few}}]
        typed_per_filter_config:
          envoy.filters.http.local_ratelimit:
            "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
            stat_prefix: limited
            token_bucket: {max_tokens: 50, tokens_per_fill: 50, fill_interval: 60s}
            filter_enabled: {default_value: {numerator: 100, denominator: HUNDRED}}
            filter_enforced: {default_value: {numerator: 100, denominator: HUNDRED}}
            response_headers_to_add:
            - {append: false, header: {key: x-local-rate-limit, value: "true"}}
            descriptors:
            - entries: [{key: header_match, value: few}]
              token_bucket: {max_tokens: 3, tokens_per_fill: 3, fill_interval: 60s}
"""
    )
    answers = [await call(clean, "/few") for _ in range(6)]
    assert Counter(one.status for one in answers) == {200: 3, 429: 3}
    assert answers[-1].headers["x-local-rate-limit"] == "true"
    assert (await call(clean, "/many")).status == 200


async def test_lua_on_the_way_out_and_in(clean: live.Live) -> None:
    def patch(context: str, name: str) -> str:
        return f"""
  - applyTo: HTTP_FILTER
    match:
      context: {context}
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {{name: envoy.filters.http.router}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: lua-{name}
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code:
            inline_string: |
              function envoy_on_request(handle)
                handle:headers():add("x-{name}", handle:headers():get(":path"))
              end
"""

    await clean.apply(
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\n"
        "metadata: {name: lua}\nspec:\n  configPatches:"
        + patch("SIDECAR_OUTBOUND", "out")
        + patch("SIDECAR_INBOUND", "in")
    )
    # A kept connection between the sidecars may still be with the old filter chain: it is told to
    # close with the first answer.
    await call(clean)
    headers = (await call(clean, "/a")).body["headers"]
    assert (headers["x-out"], headers["x-in"]) == ("/a", "/a")
    assert "x-out" not in (await enter(clean, "/a")).body["headers"]


class Limiter:
    """A rate limit service: so many requests for each descriptor."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.seen: Counter[str] = Counter()

    async def decide(
        self, request: rls_pb2.RateLimitRequest, context: object
    ) -> rls_pb2.RateLimitResponse:
        over = False
        for descriptor in request.descriptors:
            key = ",".join(f"{one.key}={one.value}" for one in descriptor.entries)
            self.seen[key] += 1
            over = over or self.seen[key] > self.limit
        code = rls_pb2.RateLimitResponse.OVER_LIMIT if over else rls_pb2.RateLimitResponse.OK
        return rls_pb2.RateLimitResponse(overall_code=code)


def serve(limiter: Limiter, address: str) -> grpc.aio.Server:
    handler: Callable[..., Awaitable[Any]] = limiter.decide
    method = grpc.unary_unary_rpc_method_handler(
        handler,
        request_deserializer=rls_pb2.RateLimitRequest.FromString,
        response_serializer=rls_pb2.RateLimitResponse.SerializeToString,
    )
    server = grpc.aio.server()
    service = "envoy.service.ratelimit.v3.RateLimitService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"ShouldRateLimit": method}),)
    )
    assert server.add_insecure_port(address)
    return server


async def test_a_global_rate_limit_at_the_gateway(clean: live.Live) -> None:
    clean.mesh.service("ratelimit", 8081, port_name="grpc-port")
    host, port = f"{NETWORK}.250.1", 8081
    limiter = Limiter(2)
    server = serve(limiter, f"{host}:{port}")
    await server.start()
    service = clean.mesh.snapshot().services
    virtual = next(one.virtual for one in service.values() if one.name == "ratelimit")
    # What kube-proxy would do: the cluster IP leads to the server.
    proxy = serve(limiter, f"{virtual[0][1]}:{virtual[0][2]}")
    await proxy.start()
    try:
        await clean.apply(GLOBAL)
        found = [(await enter(clean, "/a")).status for _ in range(4)]
        assert found == [200, 200, 429, 429]
        assert (await enter(clean, "/b")).status == 200
        assert limiter.seen["PATH=/a"] == 4
    finally:
        await proxy.stop(0)
        await server.stop(0)


GLOBAL = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: global, namespace: istio-system}
spec:
  workloadSelector: {labels: {istio: ingressgateway}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: GATEWAY
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {name: envoy.filters.http.router}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.ratelimit
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
          domain: web-ratelimit
          failure_mode_deny: true
          timeout: 10s
          rate_limit_service:
            transport_api_version: V3
            grpc_service: {envoy_grpc: {cluster_name: rate_limit_cluster}}
  - applyTo: CLUSTER
    patch:
      operation: ADD
      value:
        name: rate_limit_cluster
        type: STRICT_DNS
        connect_timeout: 10s
        lb_policy: ROUND_ROBIN
        http2_protocol_options: {}
        load_assignment:
          cluster_name: rate_limit_cluster
          endpoints:
          - lb_endpoints:
            - endpoint:
                address:
                  socket_address:
                    address: ratelimit.default.svc.cluster.local
                    port_value: 8081
  - applyTo: VIRTUAL_HOST
    match:
      context: GATEWAY
      routeConfiguration: {vhost: {name: "", route: {action: ANY}}}
    patch:
      operation: MERGE
      value:
        rate_limits:
        - actions:
          - request_headers: {header_name: ":path", descriptor_key: PATH}
"""
