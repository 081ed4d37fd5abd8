"""TCP services through real Envoys: CONNECT, weights, authorization, Istio's TCP metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istiod.mesh import until

NETWORK = "127.142"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` talks to `echo` v1 and v2, which prefix lines with their version."""
    folder: Path = tmp_path_factory.mktemp("tcp")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("echo", 9000, port_name="tcp")
        await found.pod("web")
        for version in ("v1", "v2"):
            await found.pod("echo", version, port=9000, tcp=True)
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    """The mesh, with whatever a test applied taken away again."""
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


def pod(mesh: live.Live, prefix: str) -> str:
    return next(name for name in mesh.pods if name.startswith(prefix))


SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec:
  host: echo
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: echo}}
spec:
  hosts: [echo]
  tcp:
  - match: [{{port: 9000}}]
    route:
    - {{destination: {{host: echo, subset: v1}}, weight: {v1}}}
    - {{destination: {{host: echo, subset: v2}}, weight: {v2}}}
"""


async def test_tcp_weights(clean: live.Live) -> None:
    await clean.apply(SUBSETS)
    for v1, v2, expected in ((100, 0, {"v1"}), (0, 100, {"v2"}), (50, 50, {"v1", "v2"})):
        await clean.apply(ROUTE.format(v1=v1, v2=v2))
        answers = [await clean.say(pod(clean, "web"), "echo:9000", "hello") for _ in range(20)]
        counts = Counter(one.split()[0] for one in answers)
        assert set(counts) == expected, counts
        assert all(one.endswith(" hello") for one in answers)


async def test_tcp_authorization_by_identity(clean: live.Live) -> None:
    policy = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: echo}}
spec:
  selector: {{matchLabels: {{app: echo}}}}
  rules: [{{from: [{{source: {{principals: [cluster.local/ns/default/sa/{account}]}}}}]}}]
"""
    await clean.apply(policy.format(account="web"))
    assert (await clean.say(pod(clean, "web"), "echo:9000", "x")).endswith(" x")
    await clean.apply(policy.format(account="other"))
    assert await clean.say(pod(clean, "web"), "echo:9000", "x") == ""


async def test_http_attributes_on_tcp_allow_less_and_deny_more(clean: live.Live) -> None:
    policy = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: echo}}
spec:
  selector: {{matchLabels: {{app: echo}}}}
  action: {action}
  rules: [{{to: [{{operation: {{methods: [GET], ports: ["9000"]}}}}]}}]
"""
    for action in ("ALLOW", "DENY"):
        await clean.apply(policy.format(action=action))
        assert await clean.say(pod(clean, "web"), "echo:9000", "x") == ""


async def test_tcp_metrics_of_both_sides(mesh: live.Live) -> None:
    name = "istio_tcp_connections_closed_total"

    def count(where: str) -> float:
        return sum(value for _, value in mesh.metrics(pod(mesh, where), name))

    before = count("web"), count("echo-v1") + count("echo-v2")
    for _ in range(6):
        assert await mesh.say(pod(mesh, "web"), "echo:9000", "hello")
    await until(lambda: count("web") >= before[0] + 6)
    await until(lambda: count("echo-v1") + count("echo-v2") >= before[1] + 6)
    labels, _ = mesh.metrics(pod(mesh, "web"), name)[-1]
    assert labels["reporter"] == "source"
    assert labels["source_workload"] == "web-v1"
    assert labels["destination_service"] == "echo.default.svc.cluster.local"
    assert labels["destination_workload"].startswith("echo-v")
    assert labels["request_protocol"] == "tcp"
    labels, _ = mesh.metrics(pod(mesh, "echo-v1"), name)[0]
    assert labels["reporter"] == "destination"
    assert labels["connection_security_policy"] == "mutual_tls"
    assert labels["source_principal"] == "spiffe://cluster.local/ns/default/sa/web"
    assert labels["destination_service_name"] == "echo"
    sent = mesh.metrics(pod(mesh, "web"), "istio_tcp_sent_bytes_total")
    assert sum(value for _, value in sent) >= 6 * len("v1 hello\n")
