"""When an installation stalls: where, and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from meshcourse.embedded.client.protocol import WatchEvent
from meshcourse.embedded.istioctl.commands import install, waiting
from meshcourse.embedded.istioctl.commands.progress import Progress
from meshcourse.embedded.istioctl.context import Failure
from meshcourse.embedded.istioctl.manifests.components import Component
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.status import ApiError

Object = dict[str, Any]
DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "istiod", "namespace": "istio-system", "generation": 1},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "istiod"}}},
}
READY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


class Api:
    """Lists what it is given; watches end at once unless there is something to show."""

    def __init__(self, *pods: Object, events: tuple[Object, ...] = ()) -> None:
        self.found = {
            refs.PODS: list(pods),
            refs.EVENTS: list(events),
            refs.DEPLOYMENTS: [DEPLOYMENT],
        }
        self.applied: list[Object] = []
        self.shown: list[WatchEvent | ApiError] = []
        self.watches = 0

    async def list(self, resource: Any, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(items=self.found[resource], resource_version="1")

    async def patch(self, _resource: Any, _name: str, obj: Object, *_: Any, **__: Any) -> Object:
        self.applied.append(obj)
        return obj

    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[WatchEvent]:
        self.watches += 1
        if not self.shown:
            await asyncio.Event().wait()
        for event in self.shown:
            if isinstance(event, ApiError):
                raise event
            yield event


def pod(state: Object, **more: Any) -> Object:
    status = {"name": "discovery", "ready": False, "state": state, **more}
    return {"metadata": {"name": "istiod-1"}, "status": {"containerStatuses": [status]}}


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (
            pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
            ["istiod-1/discovery: ImagePullBackOff no such image"],
        ),
        (pod({"running": {}}), ["istiod-1/discovery: running, not ready"]),
        (
            pod({}, lastState={"terminated": {"exitCode": 1}}),
            ["istiod-1/discovery: exited with code 1"],
        ),
    ],
)
async def test_pods_say_why(found: Object, wanted: list[str]) -> None:
    assert await waiting.reasons(Api(found), DEPLOYMENT) == wanted  # type: ignore[arg-type]


async def test_events_say_more() -> None:
    event = {
        "type": "Warning",
        "reason": "FailedMount",
        "message": "configmap not found",
        "involvedObject": {"name": "istiod-1"},
    }
    lines = await waiting.reasons(Api(pod({}), events=(event,)), DEPLOYMENT)  # type: ignore[arg-type]
    assert lines[-1] == "istiod-1: FailedMount: configmap not found"
    assert await waiting.reasons(Api(), DEPLOYMENT) == [  # type: ignore[arg-type]
        "no pods yet for Deployment/istio-system/istiod"
    ]


async def test_waiting_survives_a_watch_that_breaks() -> None:
    api = Api()
    done = {**DEPLOYMENT, "status": READY}
    api.shown = [ApiError(410, "Expired", "too old")]
    task = asyncio.create_task(waiting.until_ready(api, DEPLOYMENT))  # type: ignore[arg-type]
    while api.watches == 0:
        await asyncio.sleep(0)
    api.shown = [WatchEvent("MODIFIED", DEPLOYMENT), WatchEvent("MODIFIED", done)]
    await asyncio.wait_for(task, 5)
    assert api.watches == 2


class Out:
    """Collects lines; not a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


async def test_a_component_that_does_not_come_up_fails_with_the_reason() -> None:
    api = Api(pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}))
    part = Component("Pilot", "Istiod", "🧠", (DEPLOYMENT,))
    out = Out()
    with pytest.raises(Failure) as caught:
        await install._component(api, part, Progress(out), 0.05)  # type: ignore[arg-type]
    assert "resources not ready after 0.05s" in caught.value.message
    assert "Deployment/istio-system/istiod" in caught.value.message
    assert "ImagePullBackOff no such image" in caught.value.message
    assert "Waiting for Deployment/istio-system/istiod" in out.text
    assert api.applied == [DEPLOYMENT]
