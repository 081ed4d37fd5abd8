"""Leaving the mesh, and what a workload sees of it: ServiceEntry, Sidecar, exportTo, through real
Envoys.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.istio import authority, live

NETWORK = "127.145"
pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTSIDE = f"{NETWORK}.250.1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[live.Live]:
    """`web` calls `api` (default), `shop` (other) and the outside: an echo on `OUTSIDE`:8000."""
    folder: Path = tmp_path_factory.mktemp("egress")
    async with live.running(folder, NETWORK) as found:
        found.mesh.service("api")
        found.mesh.service("shop", namespace="other")
        for app in ("web", "api"):
            await found.pod(app)
        await found.pod("shop", namespace="other")
        await found.application("outside", "outside", "v1", OUTSIDE, 8000)
        await found.kube_proxy()
        await found.push()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def clean(mesh: live.Live) -> AsyncIterator[live.Live]:
    """The mesh, with whatever a test applied taken away again."""
    before = {kind: list(found) for kind, found in mesh.mesh.objects.items()}
    yield mesh
    mesh.mesh.objects = before
    await mesh.push()


async def call(mesh: live.Live, url: str) -> live.Answer:
    pod = next(name for name in mesh.pods if name.startswith("web-"))
    return await mesh.get(pod, url)


def registry_only(mesh: live.Live) -> None:
    mesh.mesh.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {"mesh": "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"},
        }
    )


ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: outside}}
spec:
  hosts: [{host}]
  location: MESH_EXTERNAL
  resolution: {resolution}
  ports: [{{number: {port}, name: http, protocol: HTTP{target}}}]
  {more}
"""


async def test_unknown_hosts_are_reached_or_blocked_by_the_mesh_policy(clean: live.Live) -> None:
    assert (await call(clean, f"http://{OUTSIDE}:8000/")).status == 200
    registry_only(clean)
    await clean.push()
    assert (await call(clean, f"http://{OUTSIDE}:8000/")).status == 502


@pytest.mark.parametrize(
    ("host", "resolution", "port", "target", "more"),
    [
        (
            "static.example.com",
            "STATIC",
            80,
            ", targetPort: 8000",
            f"endpoints: [{{address: {OUTSIDE}}}]",
        ),
        (
            "byname.example.com",
            "STATIC",
            80,
            "",
            f"endpoints: [{{address: {OUTSIDE}, ports: {{http: 8000}}}}]",
        ),
        ("localhost.localdomain", "DNS", 8000, "", f"endpoints: [{{address: {OUTSIDE}}}]"),
        (f"{OUTSIDE}.none", "NONE", 8000, "", ""),
    ],
)
async def test_a_service_entry_opens_the_registry(
    clean: live.Live, host: str, resolution: str, port: int, target: str, more: str
) -> None:
    registry_only(clean)
    real = OUTSIDE if resolution == "NONE" else host
    await clean.push()
    assert (await call(clean, f"http://{real}:{port}/")).status == 502
    text = ENTRY.format(host=real, resolution=resolution, port=port, target=target, more=more)
    await clean.apply(text)
    answer = await call(clean, f"http://{real}:{port}/x")
    assert answer.status == 200
    assert answer.body["app"] == "outside"
    assert not [name for name in answer.body["headers"] if name.startswith("x-mesh-peer")]


ORIGINATION = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: outside}}
spec:
  host: tls.example.com
  workloadSelector: {{matchLabels: {{app: web}}}}
  trafficPolicy: {{tls: {{mode: SIMPLE, sni: tls.example.com{more}}}}}
"""


async def test_tls_origination_believes_nobody_without_a_reason(
    clean: live.Live, tmp_path: Path
) -> None:
    """Signed by an unknown authority, by a known one, and for another name."""
    outside = authority.Authority()
    root = base64.b64encode(outside.root.encode()).decode()
    clean.mesh.add(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "root", "namespace": "default"},
            "data": {"ca.crt": root},
        }
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (tmp_path / "server.pem").write_text("".join(outside.leaf("tls.example.com")))
    context.load_cert_chain(tmp_path / "server.pem")
    await clean.application("tls", "tls", "v1", OUTSIDE, 8443, context)
    known = ", credentialName: root"
    cases = [
        ("", 503),
        (known, 200),
        (f"{known}, subjectAltNames: [tls.example.com]", 200),
        (f"{known}, subjectAltNames: [other.example.com]", 503),
        (", insecureSkipVerify: true", 200),
    ]
    await clean.apply(
        ENTRY.format(
            host="tls.example.com",
            resolution="STATIC",
            port=80,
            target=", targetPort: 8443",
            more=f"endpoints: [{{address: {OUTSIDE}}}]",
        )
    )
    for more, status in cases:
        await clean.apply(ORIGINATION.format(more=more))
        answer = await call(clean, "http://tls.example.com/")
        assert answer.status == status, (more, answer.body)


async def test_a_workload_entry_joins_a_service_entry(clean: live.Live) -> None:
    await clean.apply(f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: vm}}
spec:
  hosts: [vm.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8000}}]
  workloadSelector: {{labels: {{app: vm}}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: vm-1}}
spec: {{address: {OUTSIDE}, labels: {{app: vm}}}}
""")
    assert (await call(clean, "http://vm.example.com/")).body["app"] == "outside"


SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: default}}
spec:
  egress: [{{hosts: ["./*"]}}]
  outboundTrafficPolicy: {{mode: {mode}}}
"""


async def test_a_sidecar_narrows_what_is_seen(clean: live.Live) -> None:
    shop = "http://shop.other:9080/"
    seen = await call(clean, shop)
    assert "x-forwarded-client-cert" in seen.body["headers"]
    await clean.apply(SIDECAR.format(mode="REGISTRY_ONLY"))
    assert (await call(clean, shop)).status == 502
    assert (await call(clean, "http://api:9080/")).status == 200
    await clean.apply(SIDECAR.format(mode="ALLOW_ANY"))
    passed = await call(clean, shop)
    assert passed.status == 200
    assert "x-forwarded-client-cert" not in passed.body["headers"]


async def test_export_to_hides_rules_from_other_namespaces(clean: live.Live) -> None:
    rule = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: other}}
spec:
  hosts: [shop]
  exportTo: ["{scope}"]
  http: [{{directResponse: {{status: 299}}}}]
"""
    await clean.apply(rule.format(scope="."))
    assert (await call(clean, "http://shop.other:9080/")).status == 200
    await clean.apply(rule.format(scope="*"))
    assert (await call(clean, "http://shop.other:9080/")).status == 299
    await asyncio.sleep(0)
