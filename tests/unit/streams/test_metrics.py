"""``metrics.k8s.io``."""

from __future__ import annotations

from meshcourse.embedded.apiserver import metrics
from meshcourse.embedded.apiserver.streams.backend import Usage
from tests.unit.streams.node import Node


class Measured(Node):
    def pod_usage(self, namespace: str, pod: str) -> dict[str, Usage]:
        return {"b": Usage(0.25, 5 * 1024, 15.0), "a": Usage(0, 1023, 14.5)} if pod == "p" else {}

    def node_usage(self) -> Usage:
        return Usage(1.5, 2**30, 10)


async def test_pods() -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "n", "labels": {"x": "y"}},
        "status": {"phase": "Running"},
    }
    found = metrics.pod_metrics(Measured(), pod)
    assert found is not None
    assert found["kind"] == "PodMetrics"
    assert found["window"] == "15.000s"
    assert found["metadata"]["labels"] == {"x": "y"}
    assert found["containers"] == [
        {"name": "a", "usage": {"cpu": "0n", "memory": "0Ki"}},
        {"name": "b", "usage": {"cpu": "250000000n", "memory": "5Ki"}},
    ]


async def test_what_is_not_measured_is_left_out() -> None:
    fresh = {"metadata": {"name": "q"}, "status": {"phase": "Running"}}
    pending = {"metadata": {"name": "p"}, "status": {"phase": "Pending"}}
    items = [metrics.pod_metrics(Measured(), pod) for pod in (fresh, pending)]
    assert metrics.listed("PodMetrics", items) == {
        "kind": "PodMetricsList",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [],
    }


async def test_the_node() -> None:
    found = metrics.node_metrics(Measured(), {"metadata": {"name": "embedded"}})
    assert found["usage"] == {"cpu": "1500000000n", "memory": "1048576Ki"}
