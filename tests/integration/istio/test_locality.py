"""Locality load balancing through real Envoys: near first, elsewhere by weight, failover."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.istio import live

NETWORK = "127.149"
pytestmark = pytest.mark.asyncio(loop_scope="module")
PLACES = {"v1": "r1.z1", "v2": "r1.z2", "v3": "r2.z1"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` at three places, and a client at the first."""
    folder: Path = tmp_path_factory.mktemp("locality")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("web")
        for version, place in PLACES.items():
            await found.pod("web", version, labels={"istio-locality": place})
        await found.pod("client", labels={"istio-locality": "r1.z1"})
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


def policy(text: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: web}}
spec: {{host: web, trafficPolicy: {text}}}
"""


async def versions(mesh: live.Live, count: int, **headers: str) -> Counter[str]:
    pod = next(name for name in mesh.pods if name.startswith("client"))
    answers = [await mesh.get(pod, "http://web:9080/", headers=headers) for _ in range(count)]
    return Counter(answer.version for answer in answers)


#: Envoy ejects nobody if one of three is more than the default of 10 %.
OUTLIERS = (
    "outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 30s,"
    " maxEjectionPercent: 100}"
)


async def test_all_places_share_without_a_policy(clean: live.Live) -> None:
    assert set(await versions(clean, 30)) == set(PLACES)


async def test_weights_by_place(clean: live.Live) -> None:
    distribute = "[{from: r1/*, to: {'r1/z2/*': 30, 'r2/*': 70}}]"
    await clean.apply(
        policy(f"{{loadBalancer: {{localityLbSetting: {{distribute: {distribute}}}}}}}")
    )
    found = await versions(clean, 100)
    assert set(found) == {"v2", "v3"}
    assert 55 <= found["v3"] <= 85


async def test_the_nearest_first_then_the_next(clean: live.Live) -> None:
    await clean.apply(policy(f"{{{OUTLIERS}}}"))
    assert set(await versions(clean, 20)) == {"v1"}
    assert set(await versions(clean, 1, **{"x-answer": "500"})) == {"v1"}
    assert set(await versions(clean, 20)) == {"v2"}


async def test_a_chosen_region_takes_over(clean: live.Live) -> None:
    priority = "[topology.kubernetes.io/region=r2]"
    setting = f"localityLbSetting: {{failoverPriority: {priority}}}"
    await clean.apply(policy(f"{{{OUTLIERS}, loadBalancer: {{{setting}}}}}"))
    assert set(await versions(clean, 20)) == {"v3"}


async def test_a_policy_may_switch_it_off(clean: live.Live) -> None:
    off = "loadBalancer: {localityLbSetting: {enabled: false}}"
    await clean.apply(policy(f"{{{OUTLIERS}, {off}}}"))
    assert set(await versions(clean, 40)) == set(PLACES)


async def test_a_region_fails_over_to_another(clean: live.Live) -> None:
    """Without the rule the other region has the same priority as any; with it, it is next after the own one."""
    failover = "localityLbSetting: {failover: [{from: r1, to: r2}]}"
    await clean.apply(policy(f"{{{OUTLIERS}, loadBalancer: {{{failover}}}}}"))
    for expected in ("v1", "v2"):
        assert set(await versions(clean, 10)) == {expected}
        await versions(clean, 1, **{"x-answer": "500"})
        await gone(clean, expected)
    assert set(await versions(clean, 10)) == {"v3"}


async def gone(mesh: live.Live, version: str) -> None:
    """Until a version is ejected: Envoy's main thread decides, its worker learns of it a moment later."""
    deadline = time.monotonic() + 10.0
    while version in await versions(mesh, 1):
        assert time.monotonic() < deadline, f"{version} is not ejected"


@pytest.mark.parametrize("remote", [True, False])
async def test_retries_at_other_places(clean: live.Live, remote: bool) -> None:
    far = "outlierDetection: {consecutive5xxErrors: 100, consecutiveGatewayErrors: 100}"
    await clean.apply(
        policy(f"{{{far}}}")
        + f"""---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [web]
  http:
  - retries: {{attempts: 5, retryOn: '503', retryRemoteLocalities: {str(remote).lower()}}}
    route: [{{destination: {{host: web}}}}]
"""
    )
    clean.seen.clear()
    await versions(clean, 1, **{"x-answer": "503"})
    tried = {pod.split("-")[1] for pod, _, _ in clean.seen}
    assert (len(tried) > 1) is remote, tried
