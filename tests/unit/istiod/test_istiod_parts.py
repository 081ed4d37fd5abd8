"""istiod's smaller parts: debouncing, node ids, metrics, admission."""

from __future__ import annotations

import asyncio

import pytest
from envoy.service.discovery.v3 import discovery_pb2

from meshcourse.embedded.istiod import metrics, settings
from meshcourse.embedded.istiod.debounce import Debouncer
from meshcourse.embedded.istiod.settings import Debounce
from meshcourse.embedded.istiod.xds import connection, nodes, types
from meshcourse.embedded.istiod.xds.delivery import Response
from tests.unit.istiod import envoy_model


async def test_changes_that_come_together_are_one_push() -> None:
    now = [100.0]
    debouncer = Debouncer(Debounce(after=1.0, maximum=3.0), lambda: now[0])
    debouncer.trigger()
    assert debouncer.remaining(100.2) == pytest.approx(0.8)
    now[0] = 100.9
    debouncer.trigger()
    assert debouncer.remaining(100.9) == pytest.approx(1.0)
    now[0] = 102.5
    debouncer.trigger()  # never quiet, but the first change has waited long enough
    assert debouncer.remaining(102.5) == pytest.approx(0.5)


async def test_waiting_returns_when_the_first_change_was_seen() -> None:
    debouncer = Debouncer(Debounce(after=0.0, maximum=1.0), lambda: 7.0)
    waiting = asyncio.create_task(debouncer.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    debouncer.trigger()
    assert await waiting == 7.0


def test_a_node_says_who_it_is() -> None:
    node = nodes.parse(
        "sidecar~127.66.0.5~reviews-v1.a.default~default.svc.cluster.local",
        {"SERVICE_ACCOUNT": "reviews", "ISTIO_VERSION": "1"},
    )
    assert (node.kind, node.ip, node.pod, node.namespace) == (
        "sidecar",
        "127.66.0.5",
        "reviews-v1.a",
        "default",
    )
    assert (node.name, node.service_account, node.version) == (
        "reviews-v1.a.default",
        "reviews",
        "1",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "missing node information"),
        ("sidecar~1.2.3.4~x", "missing parts"),
        ("waypoint~1.2.3.4~x.y~z", "invalid node type"),
        ("sidecar~1.2.3.4~x~z", "does not name a pod"),
    ],
)
def test_other_nodes_are_refused(text: str, words: str) -> None:
    with pytest.raises(nodes.BadNode, match=words):
        nodes.parse(text, {})


def test_a_response_is_what_protobuf_expects() -> None:
    resources = (envoy_model.cluster("a"), envoy_model.cluster("b"))
    data = connection.serialize(Response(types.CDS, "v1", "n1", resources))
    message = discovery_pb2.DiscoveryResponse.FromString(data)
    assert (message.version_info, message.nonce, message.type_url) == ("v1", "n1", types.CDS)
    assert [one.type_url for one in message.resources] == [types.CDS, types.CDS]


def test_metrics_are_a_valid_page() -> None:
    metrics.XDS_PUSHES.inc(type="cds")
    metrics.CONVERGENCE.observe(0.03)
    lines = [line for line in metrics.exposition().splitlines() if not line.startswith("#")]
    samples = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
    assert samples['pilot_xds_pushes{type="cds"}'] >= 1
    assert samples['pilot_proxy_convergence_time_bucket{le="+Inf"}'] >= 1
    assert samples['istio_build{component="pilot",tag="1.30.4"}'] == 1


def test_settings_of_a_pod() -> None:
    found = settings.read(
        {
            "REVISION": "canary",
            "POD_NAMESPACE": "istio-system",
            "MESHCOURSE_POD_IP": "127.66.0.2",
            "DEFAULT_WORKLOAD_CERT_TTL": "10s",
        }
    )
    assert (found.service, found.host) == ("istiod-canary", "127.66.0.2")
    assert found.names[0] == "istiod-canary.istio-system.svc"
    assert found.lifetimes.default == 10.0
