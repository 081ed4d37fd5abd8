"""Every routing field of VirtualService and DestinationRule, measured through real Envoys."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istiod.mesh import until

NETWORK = "127.144"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` calls `reviews` v1 and v2, and `ratings`."""
    folder: Path = tmp_path_factory.mktemp("routing")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("reviews")
        found.mesh.service("ratings")
        await found.pod("web")
        for version in ("v1", "v2"):
            await found.pod("reviews", version)
        await found.pod("ratings")
        found.mesh.apply(SUBSETS.format(policy=""))
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    """The mesh, with whatever a test applied taken away again."""
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    mesh.seen.clear()
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: reviews}}
spec:
  host: reviews
  subsets:
  - {{name: v1, labels: {{version: v1}}}}
  - {{name: v2, labels: {{version: v2}}}}
  {policy}
"""


def rule(http: str, **more: str) -> str:
    extra = "\n".join(f"  {key}: {value}" for key, value in more.items())
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec:
  hosts: [reviews]
{extra}
  http: {http}
"""


V1 = "{destination: {host: reviews, subset: v1}}"
V2 = "{destination: {host: reviews, subset: v2}}"


def pod(mesh: live.Live, prefix: str = "web-") -> str:
    return next(name for name in mesh.pods if name.startswith(prefix))


async def call(mesh: live.Live, path: str = "/reviews/0", **more: Any) -> live.Answer:
    return await mesh.get(pod(mesh), f"http://reviews:9080{path}", **more)


MATCHES: list[tuple[str, str, dict[str, Any], bool]] = [
    ("uri: {exact: /a}", "/a", {}, True),
    ("uri: {exact: /a}", "/a/b", {}, False),
    ("uri: {prefix: /a}", "/a/b?c=d", {}, True),
    ("uri: {prefix: /a}", "/b", {}, False),
    ("uri: {regex: '/[a-c]+/[0-9]+'}", "/abc/12", {}, True),
    ("uri: {regex: '/[a-c]+/[0-9]+'}", "/abc/12x", {}, False),
    ("uri: {exact: /A}, ignoreUriCase: true", "/a", {}, True),
    ("uri: {exact: /A}", "/a", {}, False),
    ("scheme: {exact: http}", "/", {}, True),
    ("scheme: {exact: https}", "/", {}, False),
    ("method: {exact: POST}", "/", {"method": "POST"}, True),
    ("method: {regex: 'P.*'}", "/", {}, False),
    ("authority: {prefix: reviews}", "/", {}, True),
    ("authority: {exact: elsewhere}", "/", {}, False),
    ("headers: {end-user: {exact: jason}}", "/", {"headers": {"end-user": "jason"}}, True),
    ("headers: {end-user: {exact: jason}}", "/", {"headers": {"end-user": "anna"}}, False),
    ("headers: {end-user: {prefix: ja}}", "/", {"headers": {"end-user": "jason"}}, True),
    ("headers: {end-user: {regex: 'j.*n'}}", "/", {"headers": {"end-user": "jason"}}, True),
    ("headers: {end-user: {}}", "/", {"headers": {"end-user": "x"}}, True),
    ("headers: {end-user: {}}", "/", {}, False),
    ("headers: {end-user: {regex: '*'}}", "/", {"headers": {"end-user": "x"}}, True),
    ("withoutHeaders: {end-user: {}}", "/", {}, True),
    ("withoutHeaders: {end-user: {}}", "/", {"headers": {"end-user": "x"}}, False),
    ("withoutHeaders: {end-user: {exact: jason}}", "/", {"headers": {"end-user": "x"}}, True),
    ("withoutHeaders: {end-user: {exact: jason}}", "/", {"headers": {"end-user": "jason"}}, False),
    ("queryParams: {v: {exact: '2'}}", "/?v=2", {}, True),
    ("queryParams: {v: {exact: '2'}}", "/?v=3", {}, False),
    ("queryParams: {v: {regex: '[0-9]+'}}", "/?v=33", {}, True),
    ("queryParams: {v: {prefix: a}}", "/?v=ab", {}, True),
    ("port: 9080", "/", {}, True),
    ("port: 9081", "/", {}, False),
    ("sourceLabels: {app: web}", "/", {}, True),
    ("sourceLabels: {app: other}", "/", {}, False),
    ("sourceNamespace: default", "/", {}, True),
    ("sourceNamespace: other", "/", {}, False),
    ("gateways: [mesh]", "/", {}, True),
    ("gateways: [some-gateway]", "/", {}, False),
    ("uri: {prefix: /a}, method: {exact: POST}", "/a", {}, False),
]


@pytest.mark.parametrize(("match", "path", "request_", "matches"), MATCHES)
async def test_match(
    clean: live.Live, match: str, path: str, request_: dict[str, Any], matches: bool
) -> None:
    await clean.apply(rule(f"[{{match: [{{{match}}}], route: [{V2}]}}, {{route: [{V1}]}}]"))
    for _ in range(3):
        answer = await call(clean, path, **request_)
        assert answer.version == ("v2" if matches else "v1")


async def test_weights_are_kept(clean: live.Live) -> None:
    targets = f"[{V1[:-1]}, weight: 80}}, {V2[:-1]}, weight: 20}}]"
    await clean.apply(rule(f"[{{route: {targets}}}]"))
    answers = await asyncio.gather(*(call(clean) for _ in range(400)))
    share = Counter(one.version for one in answers)["v2"] / 400
    assert 0.12 < share < 0.28  # four standard deviations around 0.2


async def test_rewrite_of_path_and_authority(clean: live.Live) -> None:
    await clean.apply(
        rule(
            f"[{{match: [{{uri: {{prefix: /old}}}}], rewrite: {{uri: /new, authority: other}}, route: [{V1}]}}]"
        )
    )
    answer = await call(clean, "/old/1")
    assert answer.body["path"] == "/new/1"
    assert answer.body["headers"]["host"] == "other"
    regex = "{uriRegexRewrite: {match: '^/id/([0-9]+)/(.*)$', rewrite: '/\\2/\\1'}}"
    await clean.apply(rule(f"[{{rewrite: {regex}, route: [{V1}]}}]"))
    assert (await call(clean, "/id/7/x")).body["path"] == "/x/7"


REDIRECTS = [
    ("{uri: /there}", 301, "http://reviews:9080/there"),
    ("{authority: other.example, redirectCode: 302}", 302, "http://other.example/here"),
    ("{scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}", 301, "https://reviews:9080/here"),
    ("{port: 8080, redirectCode: 307}", 307, "http://reviews:8080/here"),
    ("{uri: /there, redirectCode: 308}", 308, "http://reviews:9080/there"),
]


@pytest.mark.parametrize(("redirect", "status", "location"), REDIRECTS)
async def test_redirect(clean: live.Live, redirect: str, status: int, location: str) -> None:
    await clean.apply(rule(f"[{{redirect: {redirect}}}]"))
    answer = await call(clean, "/here")
    assert (answer.status, answer.headers["location"]) == (status, location)


async def test_direct_response(clean: live.Live) -> None:
    await clean.apply(rule("[{directResponse: {status: 418, body: {string: teapot}}}]"))
    answer = await call(clean)
    assert (answer.status, answer.body) == (418, "teapot")


async def test_header_operations(clean: live.Live) -> None:
    route = (
        "{request: {set: {x-a: one}, add: {x-b: two}, remove: [x-c]},"
        " response: {set: {x-d: four}, remove: [server]}}"
    )
    target = f"[{V1[:-1]}, headers: {{request: {{set: {{x-e: five}}}}}}}}]"
    await clean.apply(rule(f"[{{headers: {route}, route: {target}}}]"))
    answer = await call(clean, headers={"x-a": "zero", "x-c": "three"})
    headers = answer.body["headers"]
    assert (headers["x-a"], headers["x-b"], headers["x-e"]) == ("one", "two", "five")
    assert "x-c" not in headers
    assert answer.headers["x-d"] == "four"


async def test_timeout(clean: live.Live) -> None:
    await clean.apply(rule(f"[{{timeout: 0.3s, route: [{V1}]}}]"))
    began = time.monotonic()
    answer = await call(clean, headers={"x-sleep": "2"})
    assert (answer.status, answer.body) == (504, "upstream request timeout")
    assert 0.25 < time.monotonic() - began < 1.5


def attempts(mesh: live.Live, prefix: str = "reviews") -> int:
    return sum(name.startswith(prefix) for name, _, _ in mesh.seen)


RETRIES = [
    ("", "503", 1),
    ("retries: {attempts: 3, retryOn: 5xx},", "500", 4),
    ("retries: {attempts: 2, retryOn: '503'},", "503", 3),
    ("retries: {attempts: 2, retryOn: '502'},", "503", 1),
    ("retries: {attempts: 0},", "503", 1),
    ("retries: {attempts: 2, retryOn: gateway-error, perTryTimeout: 1s, backoff: 5ms},", "502", 3),
]


@pytest.mark.parametrize(("retries", "status", "expected"), RETRIES)
async def test_retries(clean: live.Live, retries: str, status: str, expected: int) -> None:
    await clean.apply(rule(f"[{{{retries} route: [{V1}]}}]"))
    answer = await call(clean, headers={"x-answer": status})
    assert answer.status == int(status)
    assert attempts(clean) == expected


async def test_per_try_timeout(clean: live.Live) -> None:
    policy = "retries: {attempts: 2, perTryTimeout: 0.2s, retryOn: reset}"
    await clean.apply(rule(f"[{{{policy}, route: [{V1}]}}]"))
    answer = await call(clean, headers={"x-sleep": "1"})
    assert answer.status == 504
    assert attempts(clean) == 3


async def test_faults(clean: live.Live) -> None:
    await clean.apply(
        rule(
            f"[{{fault: {{abort: {{httpStatus: 555, percentage: {{value: 100}}}}}}, route: [{V1}]}}]"
        )
    )
    answer = await call(clean)
    assert (answer.status, answer.body) == (555, "fault filter abort")
    delay = "{delay: {fixedDelay: 0.4s, percentage: {value: 100}}}"
    await clean.apply(
        rule(
            f"[{{match: [{{headers: {{end-user: {{exact: jason}}}}}}], fault: {delay}, route: [{V1}]}},"
            f" {{route: [{V1}]}}]"
        )
    )
    began = time.monotonic()
    assert (await call(clean, headers={"end-user": "jason"})).status == 200
    assert time.monotonic() - began > 0.4
    began = time.monotonic()
    assert (await call(clean)).status == 200
    assert time.monotonic() - began < 0.4


async def test_a_share_of_aborts(clean: live.Live) -> None:
    await clean.apply(
        rule(
            f"[{{fault: {{abort: {{httpStatus: 500, percentage: {{value: 30}}}}}}, route: [{V1}]}}]"
        )
    )
    answers = await asyncio.gather(*(call(clean) for _ in range(300)))
    share = sum(one.status == 500 for one in answers) / 300
    assert 0.19 < share < 0.41


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ("mirror: {host: ratings}", 10),
        ("mirror: {host: ratings}, mirrorPercentage: {value: 0}", 0),
        ("mirrors: [{destination: {host: ratings}, percentage: {value: 100}}]", 10),
    ],
)
async def test_mirrors(clean: live.Live, mirror: str, expected: int) -> None:
    await clean.apply(rule(f"[{{{mirror}, route: [{V1}]}}]"))
    for _ in range(10):
        assert (await call(clean)).version == "v1"
    await until(lambda: attempts(clean, "ratings") == expected)
    assert attempts(clean) == 10


async def test_cors(clean: live.Live) -> None:
    policy = (
        "{allowOrigins: [{exact: 'http://good.example'}, {regex: 'http://.*[.]fine'}],"
        " allowMethods: [GET, POST], allowHeaders: [x-a], exposeHeaders: [x-b], maxAge: 1h,"
        " allowCredentials: true}"
    )
    await clean.apply(rule(f"[{{corsPolicy: {policy}, route: [{V1}]}}]"))
    for origin, allowed in (
        ("http://good.example", True),
        ("http://a.fine", True),
        ("http://bad.example", False),
    ):
        asked = {"origin": origin, "access-control-request-method": "GET"}
        answer = await call(clean, method="OPTIONS", headers=asked)
        assert ("access-control-allow-origin" in answer.headers) is allowed
    asked = {"origin": "http://good.example", "access-control-request-method": "GET"}
    headers = (await call(clean, method="OPTIONS", headers=asked)).headers
    assert headers["access-control-allow-methods"] == "GET,POST"
    assert headers["access-control-max-age"] == "3600"
    assert headers["access-control-allow-credentials"] == "true"


async def test_delegates(clean: live.Live) -> None:
    await clean.apply(
        rule("[{match: [{uri: {prefix: /a}}], delegate: {name: part}}]")
        + f"""
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: part}}
spec:
  http:
  - match: [{{uri: {{prefix: /a/two}}}}]
    route: [{V2}]
  - match: [{{uri: {{prefix: /b}}}}]
    directResponse: {{status: 500}}
  - route: [{V1}]
"""
    )
    assert (await call(clean, "/a/two/x")).version == "v2"
    assert (await call(clean, "/a/one")).version == "v1"
    assert (await call(clean, "/b")).status == 404


HASHES = [
    "httpHeaderName: x-user",
    "httpQueryParameterName: user",
    "useSourceIp: true",
    "httpCookie: {name: user, ttl: 0s}",
]


@pytest.mark.parametrize("hashing", HASHES)
async def test_consistent_hash(clean: live.Live, hashing: str) -> None:
    await clean.apply(
        SUBSETS.format(policy=f"trafficPolicy: {{loadBalancer: {{consistentHash: {{{hashing}}}}}}}")
    )
    for user in ("a", "b", "c"):
        request = {"headers": {"x-user": user, "cookie": f"user={user}"}}
        answers = [await call(clean, f"/?user={user}", **request) for _ in range(6)]
        assert len({one.body["pod"] for one in answers}) == 1


@pytest.mark.parametrize("simple", ["ROUND_ROBIN", "RANDOM", "LEAST_REQUEST"])
async def test_simple_load_balancing_reaches_every_endpoint(clean: live.Live, simple: str) -> None:
    await clean.apply(
        SUBSETS.format(policy=f"trafficPolicy: {{loadBalancer: {{simple: {simple}}}}}")
    )
    answers = [await call(clean) for _ in range(20)]
    assert {one.version for one in answers} == {"v1", "v2"}


async def test_a_circuit_breaker_overflows(clean: live.Live) -> None:
    pool = "{tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}"
    await clean.apply(
        rule(f"[{{retries: {{attempts: 0}}, route: [{V1}]}}]")
        + "\n---\n"
        + SUBSETS.format(policy=f"trafficPolicy: {{connectionPool: {pool}}}")
    )
    # While the only connection is being made its request counts as pending; have it made before.
    assert (await call(clean)).status == 200
    slow = {"headers": {"x-sleep": "1"}}
    answers = await asyncio.gather(*(call(clean, **slow) for _ in range(6)))
    counts = Counter(one.status for one in answers)
    assert counts[200] == 2
    assert counts[503] == 4
    assert any("overflow" in str(one.body) for one in answers if one.status == 503)


async def test_outlier_detection_ejects(clean: live.Live) -> None:
    outlier = (
        "{consecutive5xxErrors: 2, interval: 0.1s, baseEjectionTime: 60s, maxEjectionPercent: 100}"
    )
    await clean.apply(
        rule(f"[{{retries: {{attempts: 0}}, route: [{V2}]}}]")
        + "\n---\n"
        + SUBSETS.format(policy=f"trafficPolicy: {{outlierDetection: {outlier}}}")
    )
    for _ in range(2):
        assert (await call(clean, headers={"x-answer": "500"})).status == 500
    # Envoy's main thread ejects; its worker learns of it a moment later.
    deadline = time.monotonic() + 10
    while (answer := await call(clean)).status == 200:
        assert time.monotonic() < deadline, "not ejected"
    assert (answer.status, answer.body) == (503, "no healthy upstream")


async def test_tls_disabled_by_rule(clean: live.Live) -> None:
    assert "x-forwarded-client-cert" in (await call(clean)).body["headers"]
    await clean.apply(SUBSETS.format(policy="trafficPolicy: {tls: {mode: DISABLE}}"))
    assert "x-forwarded-client-cert" not in (await call(clean)).body["headers"]
    await clean.apply(SUBSETS.format(policy="trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"))
    assert "x-forwarded-client-cert" in (await call(clean)).body["headers"]


async def test_port_level_settings_replace_the_rest(clean: live.Live) -> None:
    policy = """
  trafficPolicy:
    tls: {mode: DISABLE}
    portLevelSettings: [{port: {number: 9080}, tls: {mode: ISTIO_MUTUAL}}]
"""
    await clean.apply(SUBSETS.format(policy=policy.strip()))
    assert "x-forwarded-client-cert" in (await call(clean)).body["headers"]


async def test_an_unknown_subset_is_reported_as_missing_cluster(clean: live.Live) -> None:
    await clean.apply(rule("[{route: [{destination: {host: reviews, subset: v9}}]}]"))
    assert (await call(clean)).status == 503
