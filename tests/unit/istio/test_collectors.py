"""Log records to a Fluentd collector: the provider of our own, its endpoints, what a record holds."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.model import Json
from tests.unit.istio.mesh import Mesh

TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: istio-system}
spec: {accessLogging: [{providers: [{name: collector}]}]}
"""


def mesh(service: str, more: str = "") -> Mesh:
    found = Mesh()
    entry = f"{{service: {service}, port: 24224{more}}}"
    text = f"extensionProviders: [{{name: collector, envoyFluentdAccessLog: {entry}}}]"
    found.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {"mesh": text},
        }
    )
    found.service("fluent-bit", 24224, namespace="istio-system", port_name="tcp-forward")
    found.service("web")
    found.pod("fluent-bit", port=24224, namespace="istio-system", proxy="")
    found.pod("web")
    return found


WEB = "web-v1-5d8f-2"


def endpoints(found: Mesh) -> list[tuple[str, int]]:
    assignment = found.resources(WEB).endpoints[names.FLUENTD]
    sockets = [
        one["endpoint"]["address"]["socket_address"]
        for group in assignment["endpoints"]
        for one in group["lb_endpoints"]
    ]
    return [(one["address"], one["port_value"]) for one in sockets]


@pytest.mark.parametrize(
    "service",
    [
        "fluent-bit.istio-system.svc.cluster.local",
        "istio-system/fluent-bit.istio-system.svc.cluster.local",
        "fluent-bit.istio-system.svc",
        "fluent-bit.istio-system",
        "fluent-bit",
    ],
)
def test_the_collectors_endpoints(service: str) -> None:
    assert endpoints(mesh(service)) == [("127.66.0.1", 24224)]


def test_no_collector_is_an_empty_assignment() -> None:
    assert endpoints(mesh("nobody.nowhere")) == []


def test_the_assignment_is_the_same_object_while_nothing_changes() -> None:
    found = mesh("fluent-bit")
    before = found.resources(WEB).endpoints[names.FLUENTD]
    found.service("other")
    assert found.resources(WEB).endpoints[names.FLUENTD] is before


def loggers(node: Any) -> list[Json]:
    """All Fluentd loggers anywhere in a resource."""
    if isinstance(node, dict):
        if node.get("name") == "envoy.access_loggers.fluentd":
            return [node["typed_config"]]
        node = list(node.values())
    return [found for one in node for found in loggers(one)] if isinstance(node, list) else []


def test_records_say_whose_they_are() -> None:
    found = mesh("fluent-bit")
    listener = "virtualInbound_9080"
    assert loggers(found.resources(WEB).listeners[listener]) == []
    found.apply(TELEMETRY)
    (first, *_) = loggers(found.resources(WEB).listeners[listener])
    assert (first["cluster"], first["tag"]) == (names.FLUENTD, "envoy")
    assert first["record"]["request_id"] == "%REQ(X-REQUEST-ID)%"
    assert first["record"]["pod"] == "%ENVIRONMENT(POD_NAME)%"
    assert first["record"]["namespace"] == "%ENVIRONMENT(POD_NAMESPACE)%"


def test_tag_and_record_of_ones_own() -> None:
    found = mesh("fluent-bit", ", tag: mesh, logFormat: {labels: {code: '%RESPONSE_CODE%'}}")
    found.apply(TELEMETRY)
    (first, *_) = loggers(found.resources(WEB).listeners["virtualInbound_9080"])
    assert first["tag"] == "mesh"
    assert first["record"] == {"code": "%RESPONSE_CODE%"}
