"""The life of pods on a real node: start, restart, init containers, sidecars, end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet import catalogue
from meshcourse.embedded.kubelet.processes.client import Process
from tests.integration.kubelet.conftest import NUMBER, Node, container_status, make_pod, waiting_for

SHELL = {"image": "shell", "command": ["sh", "-c", "exec sleep 60"]}


def shell(name: str, script: str, **more: object) -> Object:
    return {"name": name, "image": "shell", "command": ["sh", "-c", script], **more}


async def with_shell(node: Node) -> None:
    catalogue.add(node.directory / "images.json", "shell", ["sh"])


async def test_a_pod_runs_and_says_so_as_a_kubelet_does(node: Node) -> None:
    await node.run(make_pod("web", "web:1", container={"ports": [{"containerPort": 8080}]}))
    pod = await node.until_ready("web")
    status = pod["status"]
    assert status["phase"] == "Running"
    assert status["podIP"].startswith(f"127.{NUMBER}.")
    assert status["hostIP"] == "127.0.0.1"
    assert pod["spec"]["nodeName"] == "nodetest-control-plane"
    found = container_status(pod)
    assert (found["ready"], found["started"], found["restartCount"]) == (True, True, 0)
    assert found["image"] == "docker.io/library/web:1"
    assert found["imageID"].startswith("docker.io/library/web@sha256:")
    assert found["containerID"].startswith("meshcourse://")
    assert [reason for reason, _ in await node.events("web")] == [
        "Scheduled",
        "Pulling",
        "Pulled",
        "Created",
        "Started",
    ]


async def test_a_warm_start_costs_milliseconds(node: Node) -> None:
    """CPU time of API server, controllers and kubelet together: elapsed time depends on who else is running."""
    await node.run(make_pod("first", "hello", restartPolicy="Never"))
    await node.until("first", lambda pod: objects.dig(pod, "status.phase") == "Succeeded")
    costs = []
    for index in range(5):
        began = time.process_time()
        await node.run(make_pod(f"pod{index}", "wait"))
        await node.until_ready(f"pod{index}")
        costs.append(time.process_time() - began)
    assert sorted(costs)[2] < 0.1, costs  # the median; about 20 ms


async def test_a_failing_container_is_restarted_at_once_and_then_with_back_off(node: Node) -> None:
    await node.run(make_pod("bad", "fail"))
    pod = await node.until("bad", waiting_for("CrashLoopBackOff"))
    found = container_status(pod)
    assert found["restartCount"] == 1
    assert found["lastState"]["terminated"]["exitCode"] == 1
    assert found["lastState"]["terminated"]["reason"] == "Error"
    uid = pod["metadata"]["uid"]
    message = f"back-off 10s restarting failed container=app pod=bad_default({uid})"
    assert found["state"]["waiting"]["message"] == message
    assert pod["status"]["phase"] == "Running"
    reasons = [reason for reason, _ in await node.events("bad")]
    assert reasons[-1] == "BackOff"


async def test_an_unknown_image_names_the_catalogue_and_works_once_it_is_added(node: Node) -> None:
    await node.run(make_pod("own", "nobody/own-app:v1"))
    pod = await node.until("own", waiting_for("ImagePullBackOff"))
    message = container_status(pod)["state"]["waiting"]["message"]
    assert message.startswith('Back-off pulling image "nobody/own-app:v1": ErrImagePull: ')
    events = await node.events("own")
    assert [reason for reason, _ in events] == [
        "Scheduled",
        "Pulling",
        "Failed",
        "Failed",
        "BackOff",
        "Failed",
    ]
    assert "is not in the catalogue" in events[2][1]
    assert "meshcourse image add own-app -- COMMAND" in events[2][1]
    catalogue.add(node.directory / "images.json", "own-app", ["sleep", "60"])
    await node.until_ready("own")


async def test_an_invalid_image_name(node: Node) -> None:
    await node.run(make_pod("odd", "Not:An:Image"))
    pod = await node.until("odd", waiting_for("InvalidImageName"))
    assert "invalid reference format" in container_status(pod)["state"]["waiting"]["message"]


async def test_never_restarted_pods_succeed_or_fail(node: Node) -> None:
    await node.run(make_pod("good", "hello", restartPolicy="Never"))
    await node.run(make_pod("bad", "last_words", restartPolicy="Never"))
    good = await node.until("good", lambda pod: objects.dig(pod, "status.phase") == "Succeeded")
    bad = await node.until("bad", lambda pod: objects.dig(pod, "status.phase") == "Failed")
    assert container_status(good)["state"]["terminated"]["reason"] == "Completed"
    ended = container_status(bad)["state"]["terminated"]
    assert (ended["exitCode"], ended["message"]) == (1, "I was told to go")


async def test_a_program_that_is_not_there(node: Node) -> None:
    catalogue.add(node.directory / "images.json", "broken", ["/no/such/program"])
    await node.run(make_pod("broken", "broken", restartPolicy="Never"))
    pod = await node.until("broken", lambda pod: objects.dig(pod, "status.phase") == "Failed")
    ended = container_status(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "/no/such/program" in ended["message"]


async def test_init_containers_run_one_after_the_other(node: Node, tmp_path: Path) -> None:
    await with_shell(node)
    order = tmp_path / "order"
    init = [shell(name, f"sleep 0.1; echo {name} >> {order}") for name in ("one", "two")]
    main = shell("app", f"echo app >> {order}; exec sleep 60")
    await node.run(make_pod("pod", container=main, initContainers=init))
    await node.until_ready("pod")
    pod = await node.until("pod", lambda _: order.read_text().count("\n") == 3)
    assert order.read_text().split() == ["one", "two", "app"]
    assert container_status(pod, "one")["state"]["terminated"]["reason"] == "Completed"
    assert container_status(pod, "one")["ready"] is True


async def test_a_failing_init_container_keeps_the_pod_waiting(node: Node) -> None:
    await with_shell(node)
    await node.run(make_pod("pod", initContainers=[shell("prepare", "exit 4")]))

    def looping(pod: Object) -> bool:
        state = container_status(pod, "prepare").get("state") or {}
        return bool(objects.dig(state, "waiting.reason") == "CrashLoopBackOff")

    pod = await node.until("pod", looping)
    assert pod["status"]["phase"] == "Pending"
    assert container_status(pod)["state"]["waiting"]["reason"] == "PodInitializing"


async def test_sidecars_start_first_and_stop_last(node: Node, tmp_path: Path) -> None:
    await with_shell(node)
    order = tmp_path / "order"

    def noting(name: str) -> str:
        return (
            f"trap 'echo {name} stops >> {order}; exit 0' TERM; echo {name} starts >> {order}; "
            "while true; do sleep 0.05; done"
        )

    ready = {"exec": {"command": ["grep", "-q", "proxy starts", str(order)]}}
    proxy = shell("proxy", noting("proxy"), restartPolicy="Always", startupProbe=ready)
    main = shell("app", noting("app"))
    await node.run(make_pod("pod", container=main, initContainers=[proxy]))
    pod = await node.until_ready("pod")
    assert container_status(pod, "proxy")["started"] is True

    def both(_: Object) -> bool:
        return order.read_text().count("starts") == 2

    await node.until("pod", both)
    await node.client.delete(refs.PODS, "pod", "default")
    await node.until_gone("pod")
    assert order.read_text().splitlines() == [
        "proxy starts",
        "app starts",
        "app stops",
        "proxy stops",
    ]


async def test_a_pod_with_a_sidecar_completes_when_its_main_container_does(node: Node) -> None:
    sidecar = {"name": "proxy", "image": "wait", "restartPolicy": "Always"}
    await node.run(make_pod("job", "hello", restartPolicy="Never", initContainers=[sidecar]))
    pod = await node.until("job", lambda pod: objects.dig(pod, "status.phase") == "Succeeded")
    await node.until("job", lambda pod: "terminated" in container_status(pod, "proxy")["state"])
    assert container_status(pod)["state"]["terminated"]["exitCode"] == 0


async def test_deleting_waits_for_the_grace_period_and_then_kills(node: Node) -> None:
    await node.run(make_pod("pod", "stubborn", terminationGracePeriodSeconds=1))
    await node.until_ready("pod")
    process = node.container("pod").process
    await logged(node, "pod", b"ready")
    began = time.monotonic()
    await node.client.delete(refs.PODS, "pod", "default")
    await node.until_gone("pod")
    assert 0.9 < time.monotonic() - began < 4
    assert not process.running
    assert list((node.directory / "pods").iterdir()) == []


async def logged(node: Node, pod: str, text: bytes) -> None:
    log = node.container(pod).log.path
    await node.until(pod, lambda _: text in log.read_bytes())


async def test_a_pod_that_is_deleted_while_its_process_is_being_started(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn, entered, go_on = node.forker.spawn, asyncio.Event(), asyncio.Event()

    async def slowly(*arguments: Any) -> Process:
        entered.set()
        await go_on.wait()
        return await spawn(*arguments)

    monkeypatch.setattr(node.forker, "spawn", slowly)
    await node.run(make_pod("pod", "wait"))
    await entered.wait()
    await node.client.delete(refs.PODS, "pod", "default")
    container = node.container("pod")
    while not container._stop.is_set():
        await asyncio.sleep(0)
    go_on.set()
    await node.until_gone("pod")


async def test_a_forced_deletion(node: Node) -> None:
    await node.run(make_pod("pod", "stubborn", terminationGracePeriodSeconds=30))
    await node.until_ready("pod")
    process = node.container("pod").process
    await node.client.delete(refs.PODS, "pod", "default", grace_seconds=0)
    await asyncio.wait_for(process.wait(), 5)
    await node.until_gone("pod")


async def test_hooks(node: Node, tmp_path: Path) -> None:
    await with_shell(node)
    notes = tmp_path / "notes"
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", f"echo started >> {notes}"]}},
        "preStop": {"exec": {"command": ["sh", "-c", f"echo stopping >> {notes}"]}},
    }
    await node.run(make_pod("pod", "wait", container={"lifecycle": hooks}))
    await node.until_ready("pod")
    assert notes.read_text() == "started\n"
    await node.client.delete(refs.PODS, "pod", "default")
    await node.until_gone("pod")
    assert notes.read_text() == "started\nstopping\n"


async def test_a_failing_post_start_hook_restarts_the_container(node: Node) -> None:
    hooks = {"postStart": {"exec": {"command": ["false"]}}}
    await node.run(make_pod("pod", "wait", container={"lifecycle": hooks}))
    await node.until("pod", lambda pod: container_status(pod).get("restartCount", 0) > 0)
    assert "FailedPostStartHook" in [reason for reason, _ in await node.events("pod")]


async def test_the_deadline_of_a_pod(node: Node) -> None:
    await node.run(make_pod("pod", "wait", activeDeadlineSeconds=1))
    pod = await node.until("pod", lambda pod: objects.dig(pod, "status.phase") == "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    await node.until("pod", lambda pod: "terminated" in container_status(pod)["state"])


async def test_a_new_image_is_a_new_container(node: Node) -> None:
    await node.run(make_pod("pod", "wait"))
    before = await node.until_ready("pod")
    patch = {"spec": {"containers": [{"name": "app", "image": "web"}]}}
    await node.client.patch(refs.PODS, "pod", patch, "default", kind="strategic")
    pod = await node.until(
        "pod", lambda pod: container_status(pod)["image"] == "docker.io/library/web:latest"
    )
    await node.until("pod", lambda pod: "running" in container_status(pod)["state"])
    assert container_status(pod)["containerID"] != container_status(before)["containerID"]
    killing = [message for reason, message in await node.events("pod") if reason == "Killing"]
    assert killing == ["Container app definition changed, will be restarted"]


async def test_pods_that_fit_nowhere_wait_until_they_do(node: Node) -> None:
    await node.run(make_pod("pod", "wait", nodeSelector={"disk": "ssd"}))
    pod = await node.until("pod", lambda pod: objects.dig(pod, "status.conditions"))
    (condition,) = pod["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
    assert condition["reason"] == "Unschedulable"
    message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    assert condition["message"].startswith(message)
    assert (await node.events("pod"))[0][0] == "FailedScheduling"
    patch = {"metadata": {"labels": {"disk": "ssd"}}}
    await node.client.patch(refs.NODES, "nodetest-control-plane", patch)
    await node.until_ready("pod")


async def test_after_a_restart_pods_are_the_same_with_new_containers(node: Node) -> None:
    await node.run(make_pod("web", "web"))
    await node.run(make_pod("done", "hello", restartPolicy="Never"))
    await node.run(make_pod("once", "wait", restartPolicy="Never"))
    await node.until("done", lambda pod: objects.dig(pod, "status.phase") == "Succeeded")
    await node.until_ready("once")
    before = await node.until_ready("web")
    await node.stop()
    await node.start()
    after = await node.until("web", lambda pod: container_status(pod)["restartCount"] == 1)
    after = await node.until_ready("web")
    for path in ("metadata.uid", "status.podIP", "status.startTime"):
        assert objects.dig(after, path) == objects.dig(before, path)
    lost = container_status(after)["lastState"]["terminated"]
    assert (lost["exitCode"], lost["reason"]) == (255, "Unknown")
    assert (await node.pod("done"))["status"]["phase"] == "Succeeded"
    await node.until("once", lambda pod: objects.dig(pod, "status.phase") == "Failed")


async def test_the_node(node: Node) -> None:
    found = await node.client.get(refs.NODES, "nodetest-control-plane")
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions == {
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
        "Ready": "True",
    }
    assert int(found["status"]["capacity"]["cpu"]) >= 1
    assert found["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.")
