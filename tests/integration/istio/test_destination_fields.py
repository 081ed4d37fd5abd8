"""The fields of DestinationRule that test_routing leaves out: a host for each, measured through one Envoy.

The hosts are ServiceEntries with the same two echoes behind them, so that what arrives there are the connections of
the client's Envoy; `api` is in the mesh.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istio.authority import Authority
from tests.integration.istiod.mesh import children, until

NETWORK = "127.140"
pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, TWO, SECURE = (f"{NETWORK}.250.{number}" for number in (1, 2, 3))
CLOSED, FULL = f"{NETWORK}.250.4", f"{NETWORK}.250.5"
BOTH = (ONE, TWO)
EJECT = "baseEjectionTime: 60s, maxEjectionPercent: 100"

#: Host → its policy and its addresses.
HOSTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "plain": ("{loadBalancer: {simple: ROUND_ROBIN}}", (ONE,)),
    "fresh": ("{connectionPool: {http: {maxRequestsPerConnection: 1}}}", (ONE,)),
    "idle": ("{connectionPool: {http: {idleTimeout: 0.1s}}}", (ONE,)),
    "tcp-idle": ("{connectionPool: {tcp: {idleTimeout: 0.1s}}}", (ONE,)),
    "duration": ("{connectionPool: {tcp: {maxConnectionDuration: 0.2s}}}", (ONE,)),
    "connect": ("{connectionPool: {tcp: {connectTimeout: 0.2s}}}", (FULL,)),
    "alive": (
        "{connectionPool: {tcp: {tcpKeepalive: {probes: 4, time: 77s, interval: 11s}}}}",
        (ONE,),
    ),
    "requests": ("{connectionPool: {http: {http2MaxRequests: 1}}}", (ONE,)),
    "retries": ("{connectionPool: {http: {maxRetries: 1}}}", (ONE,)),
    "budget-low": ("{retryBudget: {percent: 1, minRetryConcurrency: 1}}", (ONE,)),
    "budget-high": ("{retryBudget: {percent: 100, minRetryConcurrency: 1}}", (ONE,)),
    "budget-min": ("{retryBudget: {percent: 1, minRetryConcurrency: 9}}", (ONE,)),
    "ring": (
        "{loadBalancer: {consistentHash: {httpHeaderName: u, ringHash: {minimumRingSize: 2000}}}}",
        BOTH,
    ),
    "old-ring": (
        "{loadBalancer: {consistentHash: {httpHeaderName: u, minimumRingSize: 3000}}}",
        BOTH,
    ),
    "maglev": (
        "{loadBalancer: {consistentHash: {httpHeaderName: u, maglev: {tableSize: 101}}}}",
        BOTH,
    ),
    "cookie": (
        "{loadBalancer: {consistentHash: {httpCookie: {name: stick, path: /p, ttl: 60s,"
        " attributes: [{name: SameSite, value: Strict}]}}}}",
        BOTH,
    ),
    "gateway-errors": (
        "{outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 2,"
        f" interval: 0.1s, {EJECT}}}}}",
        (ONE,),
    ),
    "local": (
        "{outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2,"
        f" interval: 0.1s, {EJECT}}}}}",
        (CLOSED,),
    ),
    "back": (
        "{outlierDetection: {consecutive5xxErrors: 1, interval: 0.1s, baseEjectionTime: 0.2s,"
        " maxEjectionPercent: 100}}",
        (ONE,),
    ),
    "stay": (
        "{outlierDetection: {consecutive5xxErrors: 1, interval: 60s, baseEjectionTime: 0.2s,"
        " maxEjectionPercent: 100}}",
        (ONE,),
    ),
    "half": (
        "{outlierDetection: {consecutive5xxErrors: 1, interval: 60s, baseEjectionTime: 60s,"
        " maxEjectionPercent: 50}}",
        BOTH,
    ),
    "panic": (
        f"{{outlierDetection: {{consecutive5xxErrors: 1, {EJECT}, minHealthPercent: 60}}}}",
        (ONE, CLOSED),
    ),
    "calm": (f"{{outlierDetection: {{consecutive5xxErrors: 1, {EJECT}}}}}", (ONE, CLOSED)),
}


def host(name: str, policy: str, addresses: tuple[str, ...], port: int = 8000) -> str:
    where = ", ".join(f"{{address: {one}}}" for one in addresses)
    return f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec:
  hosts: [{name}.out]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]
  endpoints: [{where}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec: {{host: {name}.out, trafficPolicy: {policy}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{name}.out]
  http:
  - retries: {{attempts: {RETRIES.get(name, 0)}, retryOn: 5xx}}
    route: [{{destination: {{host: {name}.out}}}}]
"""


RETRIES = dict.fromkeys(("retries", "budget-low", "budget-high", "budget-min"), 1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` calls all of `HOSTS`; `near` and `far` (another namespace) call `api` v1 and v2, too."""
    folder: Path = tmp_path_factory.mktemp("destination-fields")
    async with live.running(folder, NETWORK) as found:
        matcher = '{"proxyStatsMatcher": {"inclusionRegexps": ["cluster[.]outbound.*"]}}'
        found.environment["PROXY_CONFIG"] = matcher
        found.mesh.add(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "istio", "namespace": "istio-system"},
                "data": {"mesh": "accessLogFile: /dev/stdout"},
            }
        )
        for name in ("api", "upgraded", "streams", "clients", "level"):
            found.mesh.service(name, selector={"app": "api"})
        await found.pod("web")
        await found.pod("near")
        await found.pod("far", namespace="other")
        for version in ("v1", "v2"):
            await found.pod("api", version)
        for version, where in (("one", ONE), ("two", TWO)):
            await found.application(version, "outside", version, where, 8000)
        for name, (policy, addresses) in HOSTS.items():
            found.mesh.apply(host(name, policy, addresses))
        found.mesh.apply(IN_THE_MESH)
        with full(FULL, 8000):
            await found.push()
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


@contextlib.contextmanager
def full(address: str, port: int) -> Any:
    """A listener whose queue is full: connections are neither accepted nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


async def call(mesh: live.Live, name: str, path: str = "/", **more: Any) -> live.Answer:
    return await mesh.get(mesh.named("web-"), f"http://{name}.out{path}", **more)


def stat(mesh: live.Live, name: str, what: str) -> int:
    return mesh.stat(mesh.named("web-"), f"cluster.outbound|80||{name}.out.{what}")


async def test_requests_per_connection(mesh: live.Live) -> None:
    peers = {
        name: {(await call(mesh, name)).body["peer"] for _ in range(3)}
        for name in ("plain", "fresh")
    }
    assert (len(peers["plain"]), len(peers["fresh"])) == (1, 3)


@pytest.mark.parametrize(
    ("name", "counter"),
    [
        ("idle", "upstream_cx_idle_timeout"),
        ("tcp-idle", "upstream_cx_idle_timeout"),
        ("duration", "upstream_cx_max_duration_reached"),
    ],
)
async def test_connections_end_after_a_while(mesh: live.Live, name: str, counter: str) -> None:
    before = (await call(mesh, name)).body["peer"]
    await until(lambda: stat(mesh, name, counter) >= 1)
    assert (await call(mesh, name)).body["peer"] != before
    assert stat(mesh, "plain", counter) == 0


async def test_the_time_to_connect(mesh: live.Live) -> None:
    began = time.monotonic()
    assert (await call(mesh, "connect")).status == 503
    assert 0.15 < time.monotonic() - began < 8  # without the setting: 10 s
    assert stat(mesh, "connect", "upstream_cx_connect_timeout") == 1


async def test_keepalive_of_connections(mesh: live.Live) -> None:
    peer = (await call(mesh, "alive")).body["peer"]
    (envoy,) = children(mesh.plane.agents[mesh.named("web-")].pid)
    with _socket_of(envoy, peer) as found:
        options = (socket.TCP_KEEPCNT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert [found.getsockopt(socket.IPPROTO_TCP, one) for one in options] == [4, 77, 11]


@contextlib.contextmanager
def _socket_of(process: int, port: int) -> Any:
    """A copy of another process' socket, found by its own port (pidfd_getfd, system call 438)."""
    handle = os.pidfd_open(process)
    try:
        for name in os.listdir(f"/proc/{process}/fd"):
            number = ctypes.CDLL(None, use_errno=True).syscall(438, handle, int(name), 0)
            if number < 0:
                if ctypes.get_errno() == 1:
                    pytest.skip("this machine forbids looking into another process' sockets")
                continue
            try:
                copy = socket.socket(fileno=number)
            except OSError:
                os.close(number)
                continue
            with copy, contextlib.suppress(OSError):
                if copy.family == socket.AF_INET and copy.getsockname()[1] == port:
                    yield copy
                    return
    finally:
        os.close(handle)
    raise AssertionError(f"no socket of {process} has port {port}")


async def together(mesh: live.Live, name: str, count: int = 4, **headers: str) -> Counter[int]:
    answers = await asyncio.gather(*(call(mesh, name, headers=headers) for _ in range(count)))
    return Counter(one.status for one in answers)


async def test_requests_at_once(mesh: live.Live) -> None:
    assert await together(mesh, "requests", **{"x-sleep": "0.3"}) == {200: 1, 503: 3}


@pytest.mark.parametrize(
    ("name", "overflows"),
    [("retries", True), ("budget-low", True), ("budget-high", False), ("budget-min", False)],
)
async def test_retries_at_once(mesh: live.Live, name: str, overflows: bool) -> None:
    await together(mesh, name, **{"x-sleep": "0.3", "x-answer": "503"})
    refused, retried = (stat(mesh, name, f"upstream_rq_retry{one}") for one in ("_overflow", ""))
    if overflows:
        assert refused > 0
        assert retried >= 1
    else:  # a budget is a share of what is under way, which may be one less as another request ends
        assert refused <= 1
        assert retried >= 3


async def test_sizes_of_hash_tables(mesh: live.Live) -> None:
    for name in ("ring", "old-ring", "maglev"):
        found = {(await call(mesh, name, headers={"u": "x"})).version for _ in range(5)}
        assert len(found) == 1
    assert stat(mesh, "ring", "ring_hash_lb.size") == 2000
    assert stat(mesh, "old-ring", "ring_hash_lb.size") == 3000
    assert stat(mesh, "maglev", "maglev_lb.max_entries_per_host") == 51


async def test_a_cookie_is_made(mesh: live.Live) -> None:
    cookie = (await call(mesh, "cookie")).headers["set-cookie"]
    assert cookie.startswith("stick=")
    assert {"Max-Age=60", "Path=/p", "SameSite=Strict"} <= set(cookie.split("; "))


async def test_gateway_errors_eject_other_errors_do_not(mesh: live.Live) -> None:
    for _ in range(3):
        assert (await call(mesh, "gateway-errors", headers={"x-answer": "500"})).status == 500
    for _ in range(2):
        await call(mesh, "gateway-errors", headers={"x-answer": "502"})
    ejected = "outlier_detection.ejections_enforced_consecutive_gateway_failure"
    await until(lambda: stat(mesh, "gateway-errors", ejected) == 1)
    assert stat(mesh, "gateway-errors", "outlier_detection.ejections_active") == 1


async def test_failures_to_connect_eject(mesh: live.Live) -> None:
    for _ in range(2):
        assert (await call(mesh, "local")).status == 503
    ejected = "outlier_detection.ejections_enforced_consecutive_local_origin_failure"
    await until(lambda: stat(mesh, "local", ejected) == 1)


async def test_ejections_end_at_the_next_look_after_their_time(mesh: live.Live) -> None:
    active = "outlier_detection.ejections_active"
    for name in ("back", "stay"):
        assert (await call(mesh, name, headers={"x-answer": "500"})).status == 500
        await until(
            lambda name=name: stat(mesh, name, "outlier_detection.ejections_enforced_total") == 1  # type: ignore[misc]
        )
    await until(lambda: stat(mesh, "back", active) == 0)
    await until_ok(mesh, "back")
    assert stat(mesh, "stay", active) == 1


async def until_ok(mesh: live.Live, name: str) -> None:
    """Envoy's main thread decides; its worker learns of it a moment later."""
    deadline = time.monotonic() + 10
    while (await call(mesh, name)).status != 200:
        assert time.monotonic() < deadline


async def test_a_part_of_the_hosts_stays(mesh: live.Live) -> None:
    for _ in range(8):
        await call(mesh, "half", headers={"x-answer": "500"})
    await until(lambda: stat(mesh, "half", "outlier_detection.ejections_overflow") >= 1)
    assert stat(mesh, "half", "outlier_detection.ejections_active") == 1


async def test_too_few_healthy_hosts_are_a_panic(mesh: live.Live) -> None:
    for name in ("panic", "calm"):
        deadline = time.monotonic() + 10
        while not stat(mesh, name, "outlier_detection.ejections_active"):
            await call(mesh, name)
            assert time.monotonic() < deadline
    deadline = time.monotonic() + 10
    while len(await together(mesh, "calm", 10)) > 1:
        assert time.monotonic() < deadline, "the ejected host is called"
    assert set(await together(mesh, "calm", 30)) == {200}
    assert set(await together(mesh, "panic", 30)) == {200, 503}


IN_THE_MESH = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: upgraded}
spec: {host: upgraded, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: streams}
spec:
  host: streams
  trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 1}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: clients}
spec: {host: clients, trafficPolicy: {connectionPool: {http: {useClientProtocol: true}}}}
"""


async def protocol(mesh: live.Live, path: str) -> str:
    """The version of HTTP in which a request arrived at `api`."""
    pods = [name for name in mesh.pods if name.startswith("api-")]

    def lines() -> list[str]:
        return [
            one for pod in pods for one in mesh.plane.log(pod).splitlines() if f" {path} " in one
        ]

    await until(lambda: bool(lines()))
    return lines()[0].split('"')[1].split()[-1]


async def test_upgrades_to_http2(mesh: live.Live) -> None:
    for name, expected in (("upgraded", "HTTP/2"), ("api", "HTTP/1.1")):
        await mesh.get(mesh.named("web-"), f"http://{name}:9080/version-{name}")
        assert await protocol(mesh, f"/version-{name}") == expected


async def test_the_clients_protocol_is_kept(mesh: live.Live) -> None:
    where = mesh.mesh.snapshot().workloads[mesh.pods[mesh.named("web-")]].addresses.app(15001)
    proxy = ("grpc.http_proxy", f"http://{where[0]}:{where[1]}")
    for name, expected in (("clients", "HTTP/2"), ("api", "HTTP/1.1")):
        async with grpc.aio.insecure_channel(f"{name}:9080", options=[proxy]) as channel:
            method = channel.unary_unary(f"/{name}.S/M")
            with pytest.raises(grpc.aio.AioRpcError):  # the echo speaks no gRPC
                await method(b"", timeout=10)
        assert await protocol(mesh, f"/{name}.S/M") == expected
    await mesh.get(mesh.named("web-"), "http://clients:9080/first-version")
    assert await protocol(mesh, "/first-version") == "HTTP/1.1"


async def test_streams_on_a_connection(mesh: live.Live) -> None:
    web = mesh.named("web-")
    for name, least, most in (("streams", 4, 4), ("upgraded", 1, 2)):
        slow = {"x-sleep": "0.3"}
        url = f"http://{name}:9080/"
        await asyncio.gather(*(mesh.get(web, url, headers=slow) for _ in range(4)))
        counter = f"cluster.outbound|9080||{name}.default.svc.cluster.local.upstream_cx_http2_total"
        assert least <= mesh.stat(web, counter) <= most


LEVELS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: level}}
spec:
  host: level
  {host}
  subsets: [{{name: all, labels: {{app: api}}, {subset}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: level}}
spec:
  hosts: [level]
  http:
  - retries: {{attempts: 0}}
    route: [{{destination: {{host: level, subset: all, port: {{number: 9080}}}}}}]
"""
BLOCKS = (
    "tls: {mode: DISABLE}, connectionPool: {http: {maxRequestsPerConnection: 1}},"
    " loadBalancer: {consistentHash: {httpHeaderName: u}},"
    f" outlierDetection: {{consecutive5xxErrors: 2, interval: 60s, {EJECT}}}"
)
PORT = f"portLevelSettings: [{{port: {{number: 9080}}, {BLOCKS}}}]"
PLACES = {
    "a subset": ("", f"trafficPolicy: {{{BLOCKS}, retryBudget: {{percent: 1}}}}"),
    "a port": (f"trafficPolicy: {{{PORT}}}", ""),
    "a port of a subset": ("", f"trafficPolicy: {{{PORT}}}"),
}


@pytest.mark.parametrize("place", PLACES)
async def test_every_block_works_at_every_level(clean: live.Live, place: str) -> None:
    above, below = PLACES[place]
    await clean.apply(LEVELS.format(host=above, subset=below))
    web = clean.named("web-")
    cluster = "cluster.outbound|9080|all|level.default.svc.cluster.local"
    ejections = clean.stat(web, f"{cluster}.outlier_detection.ejections_enforced_total")
    answers = [await clean.get(web, "http://level:9080/", headers={"u": "same"}) for _ in range(5)]
    assert len({one.body["pod"] for one in answers}) == 1
    assert not any("x-forwarded-client-cert" in one.body["headers"] for one in answers)
    assert clean.stat(web, f"{cluster}.upstream_cx_max_requests") >= 4
    for _ in range(2):
        await clean.get(web, "http://level:9080/", headers={"u": "same", "x-answer": "500"})
    enforced = f"{cluster}.outlier_detection.ejections_enforced_total"
    await until(lambda: clean.stat(web, enforced) > ejections)
    if place == "a subset":
        dump = clean.plane.admin(web, "/config_dump?resource=dynamic_active_clusters").decode()
        assert '"retry_budget"' in dump


WARM = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec:
  host: {name}
  trafficPolicy: {{loadBalancer: {{simple: ROUND_ROBIN, {setting}}}}}
"""
WARMUPS = {
    "slow": "warmup: {duration: 4s, minimumPercent: 1, aggression: 1}",
    "minimum": "warmup: {duration: 4s, minimumPercent: 90, aggression: 1}",
    "aggressive": "warmup: {duration: 4s, minimumPercent: 1, aggression: 50}",
    "old": "warmupDurationSecs: 4s",
}


async def test_new_hosts_warm_up(clean: live.Live) -> None:
    """A host that is new gets its share at once only where the policy says so."""
    entry = "[{{address: {}}}, {{address: {}}}]"
    for name, setting in WARMUPS.items():
        text = host(name, "{}", (ONE,)).split("---")[1]
        clean.mesh.apply(text + "---" + WARM.format(name=f"{name}.out", setting=setting))
    await clean.push()
    for name in WARMUPS:
        await call(clean, name)
    await asyncio.sleep(4.1)  # until the first host is warm
    for name in WARMUPS:
        text = host(name, "{}", (ONE, TWO)).split("---")[1]
        assert entry
        clean.mesh.apply(text)
    await clean.push()
    shares = {}
    for name in WARMUPS:
        answers = await asyncio.gather(*(call(clean, name) for _ in range(40)))
        shares[name] = sum(one.version == "two" for one in answers)
    assert shares["slow"] <= 12 < shares["minimum"], shares
    assert shares["old"] <= 12 < shares["aggressive"], shares


EXPORTED = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: api}}
spec: {{host: api, trafficPolicy: {{tls: {{mode: DISABLE}}}}, {more}}}
"""


async def encrypted(mesh: live.Live, client: str) -> bool:
    answer = await mesh.get(mesh.named(client), "http://api.default:9080/")
    return "x-forwarded-client-cert" in answer.body["headers"]


async def test_for_whom_a_rule_is(clean: live.Live) -> None:
    await clean.apply(EXPORTED.format(more="exportTo: ['.']"))
    assert [await encrypted(clean, one) for one in ("web-", "far-")] == [False, True]
    await clean.apply(EXPORTED.format(more="exportTo: ['*']"))
    assert [await encrypted(clean, one) for one in ("web-", "far-")] == [False, False]
    await clean.apply(EXPORTED.format(more="workloadSelector: {matchLabels: {app: near}}"))
    assert [await encrypted(clean, one) for one in ("web-", "near-")] == [True, False]


async def test_tls_towards_the_outside(clean: live.Live, tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority()
    names: list[str] = []
    context = server(authority, tmp_path, names)
    await clean.application("secure", "secure", "v1", SECURE, 8443, ssl_context=context)
    demanding = server(authority, tmp_path, [])
    demanding.load_verify_locations(cadata=authority.root)
    demanding.verify_mode = ssl.CERT_REQUIRED
    await clean.application("mutual", "mutual", "v1", SECURE, 8444, ssl_context=demanding)
    folders = [clean.plane.root_of(pod) / "certs" for pod in clean.pods]
    certificate, key = authority.leaf("client.example")
    files = {"ca": authority.root, "stranger": stranger.root, "cert": certificate, "key": key}
    files["crl"] = authority.revoked(authority.leaf_of[SERVER])
    files["empty"] = authority.revoked()
    for folder in folders:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    ca, own = "caCertificates: /certs/ca", "clientCertificate: /certs/cert, privateKey: /certs/key"
    cases = {
        "simple": (f"mode: SIMPLE, {ca}, sni: {SERVER}", 8443, 200),
        "stranger": (f"mode: SIMPLE, caCertificates: /certs/stranger, sni: {SERVER}", 8443, 503),
        "skip": ("mode: SIMPLE, insecureSkipVerify: true, sni: skipped.example", 8443, 200),
        "san": (f"mode: SIMPLE, {ca}, subjectAltNames: [{SERVER}]", 8443, 200),
        "bad-san": (f"mode: SIMPLE, {ca}, subjectAltNames: [other.example]", 8443, 503),
        "unrevoked": (f"mode: SIMPLE, {ca}, caCrl: /certs/empty, sni: {SERVER}", 8443, 200),
        "revoked": (f"mode: SIMPLE, {ca}, caCrl: /certs/crl, sni: {SERVER}", 8443, 503),
        "mutual": (f"mode: MUTUAL, {ca}, {own}, sni: {SERVER}", 8444, 200),
        "no-client": (f"mode: SIMPLE, {ca}, sni: {SERVER}", 8444, 503),
    }
    for name, (tls, port, _) in cases.items():
        clean.mesh.apply(host(f"tls-{name}", f"{{tls: {{{tls}}}}}", (SECURE,), port))
    await clean.push()
    found = {name: (await call(clean, f"tls-{name}")).status for name in cases}
    assert found == {name: status for name, (_, _, status) in cases.items()}
    assert "skipped.example" in names


SERVER = "secure.example"


def server(authority: Authority, folder: Path, names: list[str]) -> ssl.SSLContext:
    """TLS for an echo; it writes down which server names clients ask for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pem = folder / "server.pem"
    if not pem.exists():
        pem.write_text("".join(authority.leaf(SERVER)))
    context.load_cert_chain(pem)

    def remember(_: object, name: str | None, __: object) -> None:
        names.append(name or "")

    context.sni_callback = remember
    return context
