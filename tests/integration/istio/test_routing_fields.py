"""The fields of VirtualService that test_routing leaves out: one rule with a branch for each, through Envoys."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istiod.mesh import until

NETWORK = "127.143"
pytestmark = pytest.mark.asyncio(loop_scope="module")

V1 = "{destination: {host: reviews, subset: v1}}"
V2 = "{destination: {host: reviews, subset: v2}}"
SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: NAME}
spec:
  host: NAME
  trafficPolicy: {loadBalancer: {simple: RANDOM}}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""

#: Conditions, with a request that fulfils each and one that does not.
GET: dict[str, Any] = {}
POST = {"method": "POST"}
MATCHES: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("scheme: {prefix: ht}", GET, None),
    ("scheme: {regex: 'h.+p'}", GET, None),
    ("scheme: {prefix: https}", {"never": True}, GET),
    ("method: {prefix: PO}", POST, GET),
    ("authority: {exact: 'reviews:9080'}", GET, None),
    ("authority: {regex: '.*:9080'}", GET, None),
    ("authority: {regex: 'reviews'}", {"never": True}, GET),
    ("withoutHeaders: {x-u: {prefix: ja}}", GET, {"headers": {"x-u": "jane"}}),
    (
        "withoutHeaders: {x-u: {regex: 'j.*n'}}",
        {"headers": {"x-u": "x"}},
        {"headers": {"x-u": "jan"}},
    ),
]


def branches() -> str:
    text = base64.b64encode(b"bytes").decode()
    found = [
        f"{{match: [{{uri: {{prefix: /match/{number}/}}, {condition}}}], route: [{V2}]}}"
        for number, (condition, _, _) in enumerate(MATCHES)
    ]
    b = "{host: duo, port: {number: 9090}}"
    branch = {
        "port": f"route: [{{destination: {b}}}]",
        "mirror-port": f"route: [{V1}], mirror: {b}",
        "mirror-subset": f"route: [{V1}], mirror: {{host: reviews, subset: v2}}",
        "mirror-percent": f"route: [{V1}], mirror: {b}, mirrorPercent: 0",
        "mirror_percent": f"route: [{V1}], mirror: {b}, mirror_percent: 0",
        "mirrors-port": f"route: [{V1}], mirrors: [{{destination: {b}, percentage: {{value: 100}}}}]",
        "mirrors-none": f"route: [{V1}], mirrors: [{{destination: {b}, percentage: {{value: 0}}}}]",
        "mirrors-subset": f"route: [{V1}], mirrors: [{{destination: {{host: reviews, subset: v2}}}}]",
        "bytes": f"directResponse: {{status: 200, body: {{bytes: {text}}}}}",
        "delegate": "delegate: {name: part, namespace: other}",
        "backoff": f"retries: {{attempts: 2, retryOn: '503', backoff: 0.4s}}, route: [{V1}]",
        "same": "retries: {attempts: 1, retryOn: '503', retryIgnorePreviousHosts: false},"
        " route: [{destination: {host: reviews}}]",
        "others": "retries: {attempts: 1, retryOn: '503', retryIgnorePreviousHosts: true},"
        " route: [{destination: {host: reviews}}]",
        "delay": f"fault: {{delay: {{fixedDelay: 0.3s, percent: 100}}}}, route: [{V1}]",
        "grpc": "fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}},"
        f" route: [{V1}]",
        "headers": "headers: {response: {add: {x-added: a}, remove: [x-gone]}},"
        f" route: [{V1[:-1]}, weight: 50, headers: {DESTINATION_HEADERS}}},"
        f" {V2[:-1]}, weight: 50, headers: {DESTINATION_HEADERS}}}]",
        "lone-headers": f"route: [{V1[:-1]}, headers: {DESTINATION_HEADERS}}}]",
        "cors-old": f"corsPolicy: {{allowOrigin: ['http://old.example']}}, route: [{V1}]",
        "cors": "corsPolicy: {allowOrigins: [{prefix: 'http://good'}], allowHeaders: [x-a, x-b],"
        f" exposeHeaders: [x-c], unmatchedPreflights: IGNORE}}, route: [{V1}]",
        "forward-cors": "corsPolicy: {allowOrigins: [{prefix: 'http://good'}],"
        f" unmatchedPreflights: FORWARD}}, route: [{V1}]",
    }
    found += [f"{{match: [{{uri: {{prefix: /{name}}}}}], {rest}}}" for name, rest in branch.items()]
    found.insert(
        0,
        "{name: outer, match: [{name: inner, statPrefix: counted, uri: {exact: /named}}],"
        f" route: [{V1}]}}",
    )
    return ",\n    ".join(found)


DESTINATION_HEADERS = (
    "{request: {add: {x-more: m}, remove: [x-less], set: {x-set: s}},"
    " response: {set: {x-answered: r}, add: {x-also: t}, remove: [x-hidden]}}"
)


def rules() -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec:
  hosts: [reviews]
  http: [{branches()}, {{route: [{V1}]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: part, namespace: other}}
spec: {{http: [{{directResponse: {{status: 207}}}}]}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` and `far` (another namespace) call `reviews` v1 and v2, `duo` (its second port), `echo` by TCP."""
    folder: Path = tmp_path_factory.mktemp("routing-fields")
    async with live.running(folder, NETWORK) as found:
        found.mesh.add(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "istio", "namespace": "istio-system"},
                "data": {"mesh": "accessLogFile: /dev/stdout"},
            }
        )
        found.mesh.service("reviews")
        ports = [
            {"name": name, "port": port, "targetPort": target}
            for name, port, target in (("http", 9080, 9080), ("http-b", 9090, 9081))
        ]
        found.mesh.service("duo", ports=ports, selector={"app": "reviews"})
        tcp = [
            {"name": name, "port": port, "targetPort": 9000}
            for name, port in (("tcp", 9000), ("tls", 9443))
        ]
        found.mesh.service("echo", ports=tcp)
        await found.pod("web")
        await found.pod("far", namespace="other")
        for version in ("v1", "v2"):
            name = await found.pod("reviews", version)
            where = found.mesh.snapshot().workloads[found.pods[name]].addresses.app(9081)
            await found.application(f"b-{version}", "b", version, *where)
            await found.pod("echo", version, port=9000, tcp=True)
        for host in ("reviews", "echo"):
            found.mesh.apply(SUBSETS.replace("NAME", host))
        found.mesh.apply(rules())
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


async def call(mesh: live.Live, path: str, **more: Any) -> live.Answer:
    return await mesh.get(mesh.named("web-"), f"http://reviews:9080{path}", **more)


def seen(mesh: live.Live, path: str, prefix: str = "") -> list[str]:
    return [pod for pod, _, where in mesh.seen if where == path and pod.startswith(prefix)]


@pytest.mark.parametrize("number", range(len(MATCHES)))
async def test_more_matches(mesh: live.Live, number: int) -> None:
    _, good, bad = MATCHES[number]
    if "never" not in good:
        assert (await call(mesh, f"/match/{number}/", **good)).version == "v2"
    if bad is not None:
        assert (await call(mesh, f"/match/{number}/", **bad)).version == "v1"


async def test_the_port_of_a_destination(mesh: live.Live) -> None:
    assert (await call(mesh, "/port")).body["app"] == "b"


@pytest.mark.parametrize(
    ("path", "copied"),
    [
        ("/mirror-port", "b-"),
        ("/mirror-subset", "reviews-v2"),
        ("/mirrors-port", "b-"),
        ("/mirrors-subset", "reviews-v2"),
        ("/mirror-percent", ""),
        ("/mirror_percent", ""),
        ("/mirrors-none", ""),
    ],
)
async def test_destinations_and_shares_of_mirrors(mesh: live.Live, path: str, copied: str) -> None:
    for _ in range(3):
        assert (await call(mesh, path)).version == "v1"
    if copied:
        await until(lambda: len(seen(mesh, path, copied)) == 3)
    else:
        # A copy would have left with the request before it: this one comes after all of them.
        await call(mesh, "/mirror-port")
        await until(lambda: bool(seen(mesh, "/mirror-port", "b-")))
    assert len(seen(mesh, path)) == (6 if copied else 3)


async def test_a_direct_response_of_bytes(mesh: live.Live) -> None:
    answer = await call(mesh, "/bytes")
    assert (answer.status, answer.body) == (200, "bytes")


async def test_a_delegate_of_another_namespace(mesh: live.Live) -> None:
    assert (await call(mesh, "/delegate")).status == 207


async def test_names_reach_logs_and_statistics(mesh: live.Live) -> None:
    answer = await call(mesh, "/named")
    request_id = answer.body["headers"]["x-request-id"]
    web = mesh.named("web-")
    await until(lambda: request_id in mesh.plane.log(web))
    line = next(one for one in mesh.plane.log(web).splitlines() if request_id in one)
    assert line.split()[-1] == "outer.inner"
    stats = mesh.plane.admin(web, "/stats?filter=route.counted.upstream_rq_total").decode()
    assert int(stats.rpartition(": ")[2]) >= 1


async def test_the_interval_between_retries(mesh: live.Live) -> None:
    """Intervals are drawn between nothing and the backoff (then three times it): the longest of eight tells."""

    async def timed() -> float:
        began = time.monotonic()
        assert (await call(mesh, "/backoff", headers={"x-answer": "503"})).status == 503
        return time.monotonic() - began

    assert max(await asyncio.gather(*(timed() for _ in range(8)))) > 0.3
    assert len(seen(mesh, "/backoff")) == 24


@pytest.mark.parametrize(("path", "again"), [("/same", True), ("/others", False)])
async def test_retries_at_the_host_that_failed(mesh: live.Live, path: str, again: bool) -> None:
    """At random, half of the retries meet the same host; 15 of 60 lie four deviations below."""
    await asyncio.gather(*(call(mesh, path, headers={"x-answer": "503"}) for _ in range(60)))
    tried: dict[str, list[str]] = defaultdict(list)
    for pod, headers, where in mesh.seen:
        if where == path:
            tried[headers["x-request-id"]].append(pod)
    assert len(tried) == 60
    same = sum(len(set(pods)) == 1 for pods in tried.values())
    assert (same > 15) is again, same


async def test_the_old_percent_of_a_delay(mesh: live.Live) -> None:
    began = time.monotonic()
    assert (await call(mesh, "/delay")).status == 200
    assert time.monotonic() - began > 0.29  # timers of Envoy count in milliseconds


async def test_an_abort_with_a_grpc_status(mesh: live.Live) -> None:
    headers = {"content-type": "application/grpc", "te": "trailers"}
    answer = await call(mesh, "/grpc", method="POST", headers=headers)
    assert (answer.status, answer.headers["grpc-status"]) == (200, "14")


@pytest.mark.parametrize("path", ["/headers", "/lone-headers"])
async def test_headers_of_routes_and_destinations(mesh: live.Live, path: str) -> None:
    shown = {"x-show": "x-hidden=1,x-gone=1", "x-less": "1", "x-set": "0"}
    answer = await call(mesh, path, headers=shown)
    got = answer.body["headers"]
    assert (got["x-more"], got["x-set"]) == ("m", "s")
    assert "x-less" not in got
    assert (answer.headers["x-answered"], answer.headers["x-also"]) == ("r", "t")
    assert "x-hidden" not in answer.headers
    if path == "/headers":
        assert answer.headers["x-added"] == "a"
    assert ("x-gone" in answer.headers) is (path == "/lone-headers")


async def test_more_of_cors(mesh: live.Live) -> None:
    def asked(origin: str) -> dict[str, str]:
        return {"origin": origin, "access-control-request-method": "GET"}

    for path, origin in (("/cors-old", "http://old.example"), ("/cors", "http://good.example")):
        answer = await call(mesh, path, method="OPTIONS", headers=asked(origin))
        assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-headers"] == "x-a,x-b"
    plain = await call(mesh, "/cors", headers={"origin": "http://good.example"})
    assert plain.headers["access-control-expose-headers"] == "x-c"
    for path, forwarded in (("/forward-cors", True), ("/cors", False)):
        mesh.seen.clear()
        await call(mesh, path, method="OPTIONS", headers=asked("http://bad.example"))
        assert bool(mesh.seen) is forwarded


TCP = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: echo}}
spec:
  hosts: [echo.default.svc.cluster.local]
  {kind}:
  - match: [{{{condition}}}]
    route: {route}
"""
TO_V2 = "[{destination: {host: echo, subset: v2, port: {number: 9000}}}]"


async def versions(mesh: live.Live, client: str, port: int, count: int = 12) -> set[str]:
    target = f"echo.default:{port}"
    answers = [await mesh.say(mesh.named(client), target, "x") for _ in range(count)]
    return {one.split()[0] for one in answers}


CONDITIONS = [
    ("sourceLabels: {app: web}", "sourceLabels: {app: nobody}"),
    ("sourceNamespace: default", "sourceNamespace: other"),
    ("gateways: [mesh]", "gateways: [edge]"),
]


@pytest.mark.parametrize(("kind", "port"), [("tcp", 9000), ("tls", 9443)])
async def test_connections_are_matched_by_their_source(
    clean: live.Live, kind: str, port: int
) -> None:
    name = "sniHosts: [echo.default.svc.cluster.local], " if kind == "tls" else ""
    for good, bad in CONDITIONS:
        await clean.apply(TCP.format(kind=kind, condition=name + good, route=TO_V2))
        assert await versions(clean, "web-", port, 4) == {"v2"}
        await clean.apply(TCP.format(kind=kind, condition=name + bad, route=TO_V2))
        assert await versions(clean, "web-", port, 20) == {"v1", "v2"}


async def test_server_names_ports_and_weights_of_tls_routes(clean: live.Live) -> None:
    name = "sniHosts: [echo.default.svc.cluster.local]"
    both = (
        "[{destination: {host: echo, subset: v1, port: {number: 9000}}, weight: 50},"
        " {destination: {host: echo, subset: v2, port: {number: 9000}}, weight: 50}]"
    )
    one = both.replace("weight: 50}", "weight: 100}", 1).replace("weight: 50", "weight: 0")
    for route, expected in ((one, {"v1"}), (both, {"v1", "v2"})):
        await clean.apply(TCP.format(kind="tls", condition=f"{name}, port: 9443", route=route))
        assert await versions(clean, "web-", 9443, 20) == expected
    for condition in ("sniHosts: [other.example]", f"{name}, port: 9444"):
        await clean.apply(TCP.format(kind="tls", condition=condition, route=one))
        assert await versions(clean, "web-", 9443, 20) == {"v1", "v2"}
