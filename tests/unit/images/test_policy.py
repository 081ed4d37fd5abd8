"""jwt-server, ext-authz and ratelimit, spoken to as Envoy does: with its own protobuf classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import yaml
from envoy.service.auth.v3 import external_auth_pb2
from envoy.service.ratelimit.v3 import rls_pb2

from meshcourse.embedded.images.policy import ext_authz, jwt_server, limits, rate_limit

CONFIG = """
domain: shop
descriptors:
- key: PATH
  value: /productpage
  rate_limit: {unit: minute, requests_per_unit: 1}
- key: PATH
  rate_limit: {unit: hour, requests_per_unit: 3}
- key: user
  descriptors:
  - key: plan
    value: free
    rate_limit: {unit: second, requests_per_unit: 2}
  - key: plan
    value: gold
    rate_limit: {unlimited: true}
- key: shadow
  shadow_mode: true
  rate_limit: {unit: day, requests_per_unit: 0}
"""


class TestJwtServer:
    async def test_keys(self, client: Any, tmp_path: Path) -> None:
        http = await client(jwt_server.application(tmp_path / "jwks.json"))
        [key] = (await (await http.get("/.well-known/jwks")).json())["keys"]
        assert (key["kty"], len(key["n"])) == ("RSA", 342)
        (tmp_path / "jwks.json").write_text('{"keys": []}')
        assert json.loads(await (await http.get("/")).text()) == {"keys": []}

    async def test_delay(self, client: Any, tmp_path: Path) -> None:
        http = await client(jwt_server.application(tmp_path / "none"))
        assert (await http.get("/?delay=1ms")).status == 200
        response = await http.get("/?delay=soon")
        assert (response.status, await response.text()) == (400, "Invalid delay parameter")

    def test_flags(self) -> None:
        found = jwt_server.flags(
            ["image", "/bin/jwt", "-https", "8443", "-cert=/c.crt", "--key", "/k"]
        )
        assert found == {"https": "8443", "cert": "/c.crt", "key": "/k"}


class TestExtAuthzOverHttp:
    async def test_decision(self, client: Any) -> None:
        http = await client(ext_authz.application())
        allowed = await http.post(
            "/any/path?a=1", headers={"x-ext-authz": "allow", ext_authz.OVERRIDE: "o"}, data="b"
        )
        assert (allowed.status, allowed.headers[ext_authz.RESULT]) == (200, "allowed")
        assert allowed.headers[ext_authz.OVERRIDE] == "o"
        assert "POST 127.0.0.1" in allowed.headers[ext_authz.RECEIVED]
        assert "body: [b]" in allowed.headers[ext_authz.RECEIVED]
        denied = await http.get("/", headers={"x-ext-authz": "deny"})
        assert (denied.status, await denied.text()) == (403, ext_authz.DENIED)
        assert denied.headers[ext_authz.RESULT] == "denied"

    async def test_long_requests_do_not_make_long_headers(self, client: Any) -> None:
        response = await (await client(ext_authz.application())).post("/", data="x" * 70_000)
        assert response.headers[ext_authz.RECEIVED] == "<too-long>"


class TestExtAuthzOverGrpc:
    async def check(self, principal: str = "", **headers: str) -> Any:
        request = external_auth_pb2.CheckRequest()
        request.attributes.source.principal = principal
        request.attributes.request.http.host = "httpbin:8000"
        request.attributes.request.http.headers.update(
            {k.replace("_", "-"): v for k, v in headers.items()}
        )
        server, port = await ext_authz.start("127.0.0.1:0", "a")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(
                "/envoy.service.auth.v3.Authorization/Check",
                request_serializer=external_auth_pb2.CheckRequest.SerializeToString,
                response_deserializer=external_auth_pb2.CheckResponse.FromString,
            )
            response = await call(request)
        await server.stop(None)
        return response

    async def test_allowed(self) -> None:
        response = await self.check(x_ext_authz="allow")
        assert response.status.code == 0
        headers = {
            option.header.key: option.header.value for option in response.ok_response.headers
        }
        assert headers[ext_authz.RESULT] == "allowed"
        assert headers[ext_authz.OVERRIDE] == "grpc-additional-header-override-value"
        assert "httpbin:8000" in headers[ext_authz.RECEIVED]

    async def test_denied(self) -> None:
        response = await self.check(x_other="1")
        assert response.status.code == 7
        assert (response.denied_response.status.code, response.denied_response.body) == (
            403,
            ext_authz.DENIED,
        )

    @pytest.mark.parametrize(("account", "code"), [("a", 0), ("b", 7)])
    async def test_by_identity(self, account: str, code: int) -> None:
        response = await self.check(principal=f"spiffe://cluster.local/ns/default/sa/{account}")
        assert response.status.code == code


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestLimits:
    def test_counting(self) -> None:
        domain, root = limits.parse(yaml.safe_load(CONFIG))
        clock = Clock()
        counter = limits.Counter(clock)

        def hit(*entries: tuple[str, str]) -> limits.Verdict:
            return counter.hit(domain, limits.find(root, entries), entries)

        page = ("PATH", "/productpage")
        assert hit(page) == limits.Verdict(False, limits.Limit(1, "minute"), 0, 20)
        assert hit(page).over
        clock.now = 1020
        assert not hit(page).over
        assert [hit(("PATH", "/x")).over for _ in range(4)] == [False, False, False, True]
        assert not hit(("PATH", "/y")).over
        assert [hit(("user", "eve"), ("plan", "free")).over for _ in range(3)] == [
            False,
            False,
            True,
        ]
        assert not any(hit(("user", "ann"), ("plan", "gold")).over for _ in range(9))
        assert hit(("user", "eve")) == hit(("unknown", "x")) == limits.Verdict()
        shadow = hit(("shadow", "x"))
        assert (shadow.over, shadow.remaining) == (False, 0)

    @pytest.mark.parametrize(
        ("config", "problem"),
        [
            ({}, "empty domain"),
            ({"domain": "d", "descriptors": [{}]}, "empty key"),
            (
                {"domain": "d", "descriptors": [{"key": "k", "rate_limit": {"unit": "eon"}}]},
                "invalid rate limit unit",
            ),
            ({"domain": "d", "descriptors": [{"key": "k"}, {"key": "k"}]}, "duplicate descriptor"),
        ],
    )
    def test_bad_configurations(self, config: Any, problem: str) -> None:
        with pytest.raises(limits.ConfigError, match=problem):
            limits.parse(config)


class TestRateLimit:
    async def ask(self, service: rate_limit.RateLimits, path: str) -> Any:
        request = rls_pb2.RateLimitRequest(domain="shop")
        request.descriptors.add().entries.add(key="PATH", value=path)
        server, port = await rate_limit.start(service, "127.0.0.1:0")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(
                "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
                request_serializer=rls_pb2.RateLimitRequest.SerializeToString,
                response_deserializer=rls_pb2.RateLimitResponse.FromString,
            )
            response = await call(request)
        await server.stop(None)
        return response

    async def test_over_the_wire(self, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text(CONFIG)
        service = rate_limit.RateLimits(rate_limit.Config(tmp_path), limits.Counter(Clock()))
        first = await self.ask(service, "/productpage")
        assert first.overall_code == rls_pb2.RateLimitResponse.OK
        second = await self.ask(service, "/productpage")
        assert second.overall_code == rls_pb2.RateLimitResponse.OVER_LIMIT
        [status] = second.statuses
        assert status.current_limit.requests_per_unit == 1
        assert status.current_limit.unit == rls_pb2.RateLimitResponse.RateLimit.MINUTE
        assert (status.limit_remaining, status.duration_until_reset.seconds) == (0, 20)

    async def test_a_changed_file_is_seen_and_a_broken_one_ignored(
        self, tmp_path: Path, capsys: Any
    ) -> None:
        config = rate_limit.Config(tmp_path)
        config.refresh()
        assert config.domains == {}
        (tmp_path / "c.yaml").write_text(CONFIG)
        config.refresh()
        assert list(config.domains) == ["shop"]
        (tmp_path / "d.yaml").write_text("domain: ''")
        config.refresh()
        assert list(config.domains) == ["shop"]
        assert "error loading new configuration" in capsys.readouterr().err

    async def test_pages(self, client: Any, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text(CONFIG)
        http = await client(rate_limit.application(rate_limit.Config(tmp_path)))
        assert await (await http.get("/healthcheck")).text() == "OK"
        assert await (await http.get("/rlconfig")).text() == "shop\n"

    def test_folder(self) -> None:
        env = {
            "RUNTIME_ROOT": "/data",
            "RUNTIME_SUBDIRECTORY": "ratelimit",
            "MESHCOURSE_ROOT": "/c",
        }
        assert rate_limit.folder(env) == Path("/c/data/ratelimit/config")

    def test_the_course_s_configuration_is_understood(self) -> None:
        path = (
            Path(__file__).resolve().parents[3] / "labs" / "apps" / "ratelimit" / "ratelimit.yaml"
        )
        [config] = [
            item for item in yaml.safe_load_all(path.read_text()) if item["kind"] == "ConfigMap"
        ]
        domain, root = limits.parse(yaml.safe_load(config["data"]["config.yaml"]))
        rule = limits.find(root, [("PATH", "/productpage")])
        assert (domain, rule.limit if rule else None) == (
            "productpage-ratelimit",
            limits.Limit(1, "minute"),
        )
