"""Whatever the simulator says of a request, the live Envoys do: generated rules, policies and requests.

``MESHCOURSE_EXPLORE=200`` tries so many batches with other seeds instead of the same few every time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from meshcourse import simulate
from meshcourse.embedded.istio import validate
from meshcourse.simulate import Outcome, Request, rewriting
from tests.integration.istio import generated, live

NETWORK = "127.146"
pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTS = tuple(f"s{number}" for number in range(8))
REQUESTS = 6
EXPLORE = int(os.environ.get("MESHCOURSE_EXPLORE") or 0)
#: How many requests were compared (the last test looks).
compared: list[int] = []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` calls services `HOSTS`, behind all of which are the same two pods."""
    folder: Path = tmp_path_factory.mktemp("simulated")
    async with live.running(folder, NETWORK) as found:
        await found.pod("web")
        for name in HOSTS:
            found.mesh.service(name, selector={"app": "back"})
            found.mesh.apply(f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}}}
spec:
  host: {name}
  subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]
""")
        for version in ("v1", "v2"):
            await found.pod("back", version)
        await found.push()
        yield found


batch = st.tuples(
    st.tuples(*(generated.routes for _ in HOSTS)),
    st.tuples(*(st.one_of(st.none(), generated.authorization) for _ in range(2))),
    st.lists(generated.request, min_size=REQUESTS, max_size=REQUESTS),
)


def rule(host: str, http: Any) -> dict[str, Any]:
    text = yaml.safe_dump(http).replace("HOST", host)
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": host, "namespace": "default"},
        "spec": {"hosts": [host], "http": yaml.safe_load(text)},
    }


def policy(version: str, spec: Any) -> dict[str, Any]:
    labels = {"app": "back", "version": version}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": f"back-{version}", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, **spec},
    }


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(
    max_examples=EXPLORE or 12,
    derandomize=not EXPLORE,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(found=batch)
async def test_what_is_simulated_happens(mesh: live.Live, found: Any) -> None:
    routes, policies, requests = found
    before = {kind: list(objects) for kind, objects in mesh.mesh.objects.items()}
    objects = [rule(host, http) for host, http in zip(HOSTS, routes, strict=True)]
    objects += [
        policy(version, spec)
        for version, spec in zip(("v1", "v2"), policies, strict=True)
        if spec is not None
    ]
    for one in objects:
        if not validate.check(one).errors:
            mesh.mesh.add(one)
    try:
        await mesh.push()
        pairs = [(host, asked) for host in HOSTS for asked in requests]
        await asyncio.gather(*(compare(mesh, *pair) for pair in pairs))
    finally:
        mesh.mesh.objects = before


async def compare(mesh: live.Live, host: str, asked: Any) -> None:
    web, path = mesh.named("web-"), f"{asked['path']}{asked['query']}"
    request = Request(
        f"{host}:9080",
        path,
        method=asked["method"],
        headers=asked["headers"],
        source_ip=f"{NETWORK}.0.1",
    )
    expected = list(possible(mesh, request))
    answer = await mesh.get(
        web, f"http://{host}:9080{path}", method=asked["method"], headers=asked["headers"]
    )
    seen = observed(answer)
    if seen not in expected:
        written = [
            one for kind in mesh.mesh.objects.values() for one in kind if one["kind"] != "Service"
        ]
        rules = [one for one in written if one["metadata"]["name"] in (host, "back-v1", "back-v2")]
        pytest.fail(
            f"{request}\nhappened: {seen}\nexpected: {expected}\n{yaml.safe_dump_all(rules)}"
        )
    compared.append(1)


def observed(answer: live.Answer) -> tuple[Any, ...]:
    """What came back: status, and what the application saw, or where to go."""
    shown = tuple(answer.headers.get(name) for name in generated.NAMES)
    if isinstance(answer.body, dict):
        got = answer.body["headers"]
        sent = tuple(got.get(name) for name in generated.NAMES)
        return answer.status, answer.body["version"], answer.body["path"], got["host"], sent, shown
    return answer.status, answer.headers.get("location", "")


def possible(mesh: live.Live, request: Request) -> Iterator[tuple[Any, ...]]:
    """What may come back: one for each cluster and endpoint that may be chosen."""
    outcome = simulate.outbound(mesh.mesh.resources(mesh.named("web-")), request)
    if not outcome.clusters:
        where = outcome.steps[-1].detail if outcome.step("redirect") else ""
        yield outcome.status, where
    for name, share in outcome.clusters.items():
        if not share:
            continue
        if not outcome.endpoints.get(name):
            yield 503, ""
        for address in outcome.endpoints.get(name) or ():
            for chosen in entries(outcome, name):
                yield arrived(mesh, outcome, request, address, chosen)


def entries(outcome: Outcome, name: str) -> Sequence[Any]:
    """The weighted clusters of that name (each with its own headers)."""
    weighted = (outcome.route["route"].get("weighted_clusters") or {}).get("clusters") or []
    return [one for one in weighted if one["name"] == name] or [{}]


def arrived(
    mesh: live.Live, outcome: Outcome, request: Request, address: str, chosen: Any
) -> tuple[Any, ...]:
    """At one endpoint: denied, or answered by the application."""
    (pod,) = (
        name
        for name, key in mesh.pods.items()
        if mesh.mesh.snapshot().workloads[key].addresses.pod_ip == urlsplit(f"//{address}").hostname
    )
    sent = rewriting.forwarded(outcome.route, request, chosen)
    principal = "spiffe://cluster.local/ns/default/sa/web"
    at = Request(
        sent.authority,
        sent.path,
        method=sent.method,
        headers=sent.headers,
        principal=principal,
        source_ip=request.source_ip,
    )
    inbound = simulate.inbound(mesh.mesh.resources(pod), at, 9080)
    if inbound.status is not None:
        return inbound.status, ""
    response: dict[str, str] = {}
    for level in (chosen, outcome.route):
        response = rewriting.changed(response, level, "response")
    shown = tuple(response.get(name) for name in generated.NAMES)
    got = tuple(sent.headers.get(name) for name in generated.NAMES)
    version = pod.split("-")[1]
    return 200, version, sent.path, sent.authority, got, shown


async def test_enough_was_compared() -> None:
    assert sum(compared) >= 200
