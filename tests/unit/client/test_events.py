"""Events are counted, combined and throttled as in Kubernetes."""

from __future__ import annotations

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.kube import refs, status
from meshcourse.embedded.kube.objects import Object
from tests.unit.controllers.fake import FakeClient

POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7"},
}


def written(client: FakeClient) -> list[Object]:
    return list(client.data.get(refs.EVENTS, {}).values())


async def test_an_event_says_what_happened_to_whom() -> None:
    client = FakeClient()
    recorder = Recorder(client, "kubelet", "node")
    recorder.event(POD, "Normal", "Killing", "Stopping", field_path="spec.containers{main}")
    await recorder.flush()
    (event,) = written(client)
    assert event["metadata"]["name"].startswith("web.")
    assert event["metadata"]["namespace"] == "shop"
    assert event["involvedObject"] == {
        "kind": "Pod",
        "namespace": "shop",
        "name": "web",
        "uid": "u",
        "apiVersion": "v1",
        "resourceVersion": "7",
        "fieldPath": "spec.containers{main}",
    }
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Killing", "Stopping")
    assert event["source"] == {"component": "kubelet", "host": "node"}
    assert event["count"] == 1


async def test_the_same_event_again_is_counted() -> None:
    client = FakeClient()
    recorder = Recorder(client, "kubelet")
    for _ in range(3):
        recorder.event(POD, "Warning", "BackOff", "Back-off restarting failed container")
    recorder.event(POD, "Warning", "Failed", "other")
    await recorder.flush()
    assert {e["reason"]: e["count"] for e in written(client)} == {"BackOff": 3, "Failed": 1}


async def test_an_event_that_the_server_has_dropped_is_made_anew() -> None:
    client = FakeClient()
    recorder = Recorder(client, "kubelet")
    recorder.event(POD, "Normal", "Pulled", "x")
    await recorder.flush()
    client.data[refs.EVENTS].clear()
    recorder.event(POD, "Normal", "Pulled", "x")
    await recorder.flush()
    assert [e["count"] for e in written(client)] == [1]


async def test_many_messages_of_one_kind_are_combined() -> None:
    client = FakeClient()
    recorder = Recorder(client, "replicaset-controller")
    for index in range(14):
        recorder.event(POD, "Normal", "SuccessfulCreate", f"Created pod: web-{index}")
    await recorder.flush()
    single = [e for e in written(client) if not e["message"].startswith("(combined")]
    (combined,) = [e for e in written(client) if e["message"].startswith("(combined")]
    assert len(single) == 10
    assert combined["count"] == 4
    assert combined["message"].endswith("Created pod: web-13")


async def test_an_object_that_talks_too_much_is_throttled() -> None:
    client, moment = FakeClient(), 0.0
    recorder = Recorder(client, "kubelet", clock=lambda: moment)
    for _ in range(40):
        recorder.event(POD, "Warning", "Unhealthy", "probe failed")
    await recorder.flush()
    assert written(client)[0]["count"] == 25
    moment = 301.0
    recorder.event(POD, "Warning", "Unhealthy", "probe failed")
    recorder.event(POD, "Warning", "Unhealthy", "probe failed")
    await recorder.flush()
    assert written(client)[0]["count"] == 26


async def test_a_refused_event_is_dropped_and_later_ones_are_written() -> None:
    client = FakeClient()

    def refuse(verb: str, resource: refs.Resource, name: str, body: Object) -> None:
        if body.get("reason") == "Bad":
            raise status.forbidden(resource, name, "no")

    client.refuse = refuse
    recorder = Recorder(client, "kubelet")
    recorder.event(POD, "Normal", "Bad", "x")
    recorder.event(POD, "Normal", "Good", "x")
    await recorder.flush()
    assert [e["reason"] for e in written(client)] == ["Good"]
