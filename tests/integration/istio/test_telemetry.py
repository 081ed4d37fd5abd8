"""Metrics, access logs and traces through real Envoys, and what Telemetry resources change of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.istio import live
from tests.integration.istiod.mesh import until

NETWORK = "127.148"
pytestmark = pytest.mark.asyncio(loop_scope="module")

MESH = """
accessLogFile: /dev/stdout
extensionProviders:
- name: zipkin
  zipkin: {service: zipkin.istio-system.svc.cluster.local, port: 9411}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` calls `api`; spans go to an echo that keeps what it was sent."""
    folder: Path = tmp_path_factory.mktemp("telemetry")
    async with live.running(folder, NETWORK) as found:
        found.mesh.add(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "istio", "namespace": "istio-system"},
                "data": {"mesh": MESH},
            }
        )
        found.mesh.service("api")
        found.mesh.service("zipkin", 9411, namespace="istio-system")
        await found.pod("web")
        await found.pod("api")
        await found.pod("zipkin", port=9411, namespace="istio-system", proxy="")
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    """The mesh, with whatever a test applied taken away again."""
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    mesh.seen.clear()
    mesh.bodies.clear()
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


def pod(mesh: live.Live, prefix: str) -> str:
    return next(name for name in mesh.pods if name.startswith(prefix))


async def call(mesh: live.Live, path: str = "/", **more: Any) -> live.Answer:
    return await mesh.get(pod(mesh, "web"), f"http://api:9080{path}", **more)


async def test_the_access_log_has_istios_default_format(mesh: live.Live) -> None:
    answer = await call(mesh, "/logged")
    request_id = answer.body["headers"]["x-request-id"]
    for where, cluster in (("web", "outbound|9080||api"), ("api", "inbound|9080||")):
        await until(lambda where=where: request_id in mesh.plane.log(pod(mesh, where)))  # type: ignore[misc]
        lines = mesh.plane.log(pod(mesh, where)).splitlines()
        line = next(one for one in lines if request_id in one)
        assert '"GET /logged HTTP/1.1" 200 - via_upstream - "-" 0 ' in line
        assert cluster in line


def telemetry(spec: str) -> str:
    return f"""
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: default, namespace: istio-system}}
spec: {spec}
"""


async def test_access_logs_are_filtered_and_switched_off(clean: live.Live) -> None:
    await clean.apply(
        telemetry(
            "{accessLogging: [{providers: [{name: envoy}], filter: {expression: response.code >= 400}}]}"
        )
    )
    await call(clean, "/quiet-one")
    await call(clean, "/loud-one", headers={"x-answer": "404"})
    await until(lambda: "/loud-one" in clean.plane.log(pod(clean, "web")))
    assert "/quiet-one" not in clean.plane.log(pod(clean, "web"))
    await clean.apply(telemetry("{accessLogging: [{providers: [{name: envoy}], disabled: true}]}"))
    await call(clean, "/off-one", headers={"x-answer": "404"})
    await asyncio.sleep(0.6)  # longer than Envoy's flush interval
    assert "/off-one" not in clean.plane.log(pod(clean, "web"))


def tags(mesh: live.Live, where: str, metric: str, **wanted: str) -> list[dict[str, str]]:
    found = mesh.metrics(pod(mesh, where), metric)
    return [one for one, _ in found if all(one.get(key) == value for key, value in wanted.items())]


async def test_metric_overrides(clean: live.Live) -> None:
    await clean.apply(
        telemetry(
            """
  metrics:
  - providers: [{name: prometheus}]
    overrides:
    - match: {metric: REQUEST_COUNT, mode: CLIENT}
      tagOverrides:
        host: {value: request.host}
        response_flags: {operation: REMOVE}
    - match: {metric: REQUEST_SIZE}
      disabled: true
"""
        )
    )
    before = len(tags(clean, "web", "istio_request_bytes_count", response_code="277"))
    await call(clean, headers={"x-answer": "277"})
    await until(lambda: bool(tags(clean, "web", "istio_requests_total", response_code="277")))
    (labels,) = tags(clean, "web", "istio_requests_total", response_code="277")
    assert labels["host"] == "api:9080"
    assert "response_flags" not in labels
    assert before == len(tags(clean, "web", "istio_request_bytes_count", response_code="277")) == 0
    (server,) = tags(clean, "api", "istio_requests_total", response_code="277")
    assert "response_flags" in server


def spans(mesh: live.Live) -> list[dict[str, Any]]:
    return [span for body in mesh.bodies for span in json.loads(body)]


async def test_traces_join_both_proxies(clean: live.Live) -> None:
    assert "x-b3-traceid" not in (await call(clean)).body["headers"]
    await clean.apply(
        telemetry(
            "{tracing: [{providers: [{name: zipkin}], randomSamplingPercentage: 100,"
            " customTags: {colour: {literal: {value: blue}}}}]}"
        )
    )
    answer = await call(clean)
    trace = answer.body["headers"]["x-b3-traceid"]
    assert answer.body["headers"]["traceparent"].split("-")[1] == trace

    def mine() -> list[dict[str, Any]]:
        return [span for span in spans(clean) if span["traceId"] == trace]

    await until(lambda: len(mine()) == 2)
    assert {span["kind"] for span in mine()} == {"CLIENT", "SERVER"}
    assert {span["name"] for span in mine()} == {"api.default.svc.cluster.local:9080/*"}
    assert all(span["tags"]["colour"] == "blue" for span in mine())
    assert all(span["tags"]["istio.namespace"] == "default" for span in mine())


async def test_sampling_is_a_share_and_changes_with_routes_only(clean: live.Live) -> None:
    spec = "{{tracing: [{{providers: [{{name: zipkin}}], randomSamplingPercentage: {share}}}]}}"
    await clean.apply(telemetry(spec.format(share=100)))
    listeners = clean.mesh.resources(pod(clean, "web")).listeners
    await clean.apply(telemetry(spec.format(share=20)))
    assert clean.mesh.resources(pod(clean, "web")).listeners == listeners
    answers = await asyncio.gather(*(call(clean) for _ in range(300)))
    sampled = sum(one.body["headers"].get("x-b3-sampled") == "1" for one in answers)
    assert 30 <= sampled <= 95
    await clean.apply(telemetry(spec.format(share=0)))
    answers = await asyncio.gather(*(call(clean) for _ in range(30)))
    assert not any(one.body["headers"].get("x-b3-sampled") == "1" for one in answers)


def counted(mesh: live.Live, where: str, code: str) -> float:
    found = mesh.metrics(pod(mesh, where), "istio_requests_total")
    return sum(value for labels, value in found if labels["response_code"] == code)


async def test_counters_survive_new_listeners(clean: live.Live) -> None:
    """A Telemetry changes listeners; what they counted before must not be lost with them."""
    web = pod(clean, "web")
    sent = 0
    for expression in ("response.code > 600", "response.code > 700", "response.code > 800"):
        for _ in range(20):
            await call(clean, headers={"x-answer": "278"})
            sent += 1
        before = listeners_changed(clean, web)
        entry = f"{{providers: [{{name: envoy}}], filter: {{expression: {expression}}}}}"
        await clean.apply(telemetry(f"{{accessLogging: [{entry}]}}"))
        await until(lambda before=before: listeners_changed(clean, web) > before)  # type: ignore[misc]
    for name in (web, pod(clean, "api")):  # until the old ones are really gone
        await until(lambda name=name: "draining: 0" in draining(clean, name))  # type: ignore[misc]
    for where in ("web", "api"):
        await until(lambda where=where: counted(clean, where, "278") == sent)  # type: ignore[misc]


def draining(mesh: live.Live, name: str) -> str:
    return mesh.plane.admin(
        name, "/stats?filter=listener_manager.total_filter_chains_draining"
    ).decode()


def listeners_changed(mesh: live.Live, name: str) -> int:
    """How often this Envoy replaced listeners or their filter chains."""
    text = mesh.plane.admin(name, "/stats?filter=listener_manager.*(modified|updated)").decode()
    return sum(int(line.rpartition(" ")[2]) for line in text.splitlines())


PLAINTEXT = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: default}
spec:
  host: api
  trafficPolicy: {tls: {mode: DISABLE}}
"""


async def test_the_caller_is_known_in_plaintext_and_not_forged(clean: live.Live) -> None:
    await clean.apply(PLAINTEXT)
    await call(clean, headers={"x-answer": "279"})
    await until(lambda: bool(tags(clean, "api", "istio_requests_total", response_code="279")))
    (labels,) = tags(clean, "api", "istio_requests_total", response_code="279")
    assert labels["connection_security_policy"] == "none"
    assert labels["source_workload"] == "web-v1"
    assert labels["source_principal"] == "unknown"

    where = clean.mesh.snapshot().workloads[clean.pods[pod(clean, "api")]].addresses.pod(9080)
    forged = {"x-mesh-peer-workload": "web-v1", "x-forwarded-for": f"{NETWORK}.0.1"}
    url = f"http://{where[0]}:{where[1]}/"
    answer = await clean.fetch(url, headers={**forged, "x-answer": "280"})
    assert "x-mesh-peer-workload" not in answer.body["headers"]
    await until(lambda: bool(tags(clean, "api", "istio_requests_total", response_code="280")))
    (labels,) = tags(clean, "api", "istio_requests_total", response_code="280")
    assert labels["source_workload"] == "unknown"
