"""What Envoy refused is told to the pod and to the objects that it came from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from meshcourse.embedded.istio import model
from meshcourse.embedded.istiod import rejections
from meshcourse.embedded.istiod.xds import nodes, types
from meshcourse.embedded.kube import refs


class World:
    """Every object exists."""

    def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        return {"kind": resource.kind, "metadata": {"name": name, "namespace": namespace}}


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str]] = []

    def event(self, about: Any, type_: str, reason: str, message: str) -> None:
        self.events.append((about["kind"], about["metadata"]["name"], reason, message))


def route(name: str) -> dict[str, Any]:
    path = f"/apis/networking.istio.io/v1/namespaces/default/virtual-service/{name}"
    metadata = {"filter_metadata": {"istio": {"config": path}}}
    return {"virtual_hosts": [{"routes": [{"metadata": metadata}]}]}


def report(resources: model.Resources | None, error: str) -> list[tuple[str, str, str, str]]:
    recorder = Recorder()
    node = nodes.parse("sidecar~127.66.0.5~web.default~x", {})
    connection = SimpleNamespace(id="web.default-1", node=node)
    told = rejections.Rejections(recorder, World())  # type: ignore[arg-type]
    told.report(connection, resources, types.RDS, error)  # type: ignore[arg-type]
    return recorder.events


def test_the_pod_and_the_origin_are_told() -> None:
    resources = model.Resources(routes={"9080": route("reviews"), "8000": route("httpbin")})
    found = report(resources, "error in 9080: no such thing")
    assert [event[:3] for event in found] == [
        ("Pod", "web", rejections.REASON),
        (refs.VIRTUALSERVICES.kind, "reviews", rejections.REASON),
    ]
    assert found[0][3] == "RDS refused by web.default: error in 9080: no such thing"


def test_an_unknown_origin_is_told_to_the_pod_only() -> None:
    assert [event[0] for event in report(None, "error")] == ["Pod"]
    assert [event[0] for event in report(model.Resources(), "error in x")] == ["Pod"]
