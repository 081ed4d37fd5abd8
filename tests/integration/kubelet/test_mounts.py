"""Volumes and configuration of running pods: they appear, they change, their absence is told."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

from meshcourse.embedded.kube import refs
from tests.integration.kubelet.conftest import NUMBER, Node, container_status, make_pod, waiting_for


def configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def mounting(name: str, path: str, **source: Any) -> dict[str, Any]:
    return {
        "container": {"volumeMounts": [{"name": name, "mountPath": path}]},
        "volumes": [{"name": name, **source}],
    }


async def until_text(path: Path, text: str) -> None:
    async with asyncio.timeout(10):
        while not path.exists() or path.read_text() != text:
            await asyncio.sleep(0.01)


async def test_a_changed_configmap_reaches_the_files(node: Node) -> None:
    await node.client.create(refs.CONFIGMAPS, configmap("settings", colour="blue"), "default")
    await node.run(make_pod("pod", **mounting("cfg", "/etc/app", configMap={"name": "settings"})))
    await node.until_ready("pod")
    file = node.container("pod").root / "etc/app/colour"
    assert file.read_text() == "blue"
    await node.client.patch(refs.CONFIGMAPS, "settings", {"data": {"colour": "red"}}, "default")
    await until_text(file, "red")


async def test_a_missing_configmap_is_waited_for(node: Node) -> None:
    await node.run(make_pod("pod", **mounting("cfg", "/etc/app", configMap={"name": "late"})))
    reasons: list[tuple[str, str]] = []
    async with asyncio.timeout(10):
        while not any(reason == "FailedMount" for reason, _ in reasons):
            await asyncio.sleep(0.05)
            reasons = await node.events("pod")
    message = 'MountVolume.SetUp failed for volume "cfg" : configmap "late" not found'
    assert ("FailedMount", message) in reasons
    assert container_status(await node.pod("pod"))["state"]["waiting"]["reason"] == (
        "ContainerCreating"
    )
    await node.client.create(refs.CONFIGMAPS, configmap("late", a="1"), "default")
    await node.until_ready("pod")


async def test_a_missing_reference_in_the_environment_is_a_config_error(node: Node) -> None:
    env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]
    await node.run(make_pod("pod", container={"env": env}))
    pod = await node.until("pod", waiting_for("CreateContainerConfigError"))
    assert container_status(pod)["state"]["waiting"]["message"] == 'configmap "late" not found'
    assert ("Failed", 'Error: configmap "late" not found') in await node.events("pod")
    await node.client.create(refs.CONFIGMAPS, configmap("late", a="1"), "default")
    await node.until_ready("pod")
    assert node.container("pod").running_spec.env["X"] == "1"


async def test_secrets_are_private_files(node: Node) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "data": {"password": base64.b64encode(b"s3cret").decode()},
    }
    await node.client.create(refs.SECRETS, secret, "default")
    await node.run(make_pod("pod", **mounting("s", "/etc/s", secret={"secretName": "login"})))
    await node.until_ready("pod")
    file = node.container("pod").root / "etc/s/password"
    assert file.read_text() == "s3cret"
    assert file.stat().st_mode & 0o077 == 0


async def test_a_service_account_token_is_projected_and_renewed(node: Node) -> None:
    source = {"serviceAccountToken": {"path": "token", "audience": "istio-ca"}}
    await node.run(make_pod("pod", **mounting("t", "/tokens", projected={"sources": [source]})))
    await node.until_ready("pod")
    file = node.container("pod").root / "tokens/token"
    claims = json.loads(_decoded(file.read_text().split(".")[1]))
    assert claims["aud"] == ["istio-ca"]
    assert claims["sub"] == "system:serviceaccount:default:default"
    assert claims["kubernetes.io"]["pod"]["name"] == "pod"
    first = file.read_text()
    worker = node.kubelet._worker("default", "pod")
    assert worker is not None
    for token in worker._volumes._tokens.values():
        token.renew = 0.0  # as if its time had come
        await asyncio.sleep(1.1)  # tokens carry whole seconds: an earlier one would be the same
    worker.poke()
    async with asyncio.timeout(10):
        while file.read_text() == first:
            await asyncio.sleep(0.01)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def test_labels_through_the_downward_api_follow_the_pod(node: Node) -> None:
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    await node.run(make_pod("pod", **mounting("i", "/info", downwardAPI={"items": items})))
    await node.until_ready("pod")
    file = node.container("pod").root / "info/labels"
    assert file.read_text() == 'app="pod"'
    patch = {"metadata": {"labels": {"tier": "front"}}}
    await node.client.patch(refs.PODS, "pod", patch, "default")
    await until_text(file, 'app="pod"\ntier="front"')


async def test_host_paths_are_below_the_node_s_own_root(node: Node) -> None:
    await node.run(make_pod("pod", **mounting("h", "/host", hostPath={"path": "/var/log"})))
    await node.until_ready("pod")
    inside = node.container("pod").root / "host"
    assert os.listdir(inside) == ["pods"]
    assert inside.resolve() == (node.directory / "node/var/log").resolve()


async def test_volumes_that_are_not_offered_say_so(node: Node) -> None:
    await node.run(make_pod("pod", **mounting("n", "/n", nfs={"server": "x", "path": "/"})))
    async with asyncio.timeout(10):
        while not any(reason == "FailedMount" for reason, _ in await node.events("pod")):
            await asyncio.sleep(0.05)
    message = dict(await node.events("pod"))["FailedMount"]
    assert message.endswith("nfs volumes are not offered by the embedded cluster")


async def test_the_environment_of_a_container(node: Node) -> None:
    await node.run(make_pod("pod", "wait", container={"ports": [{"containerPort": 8080}]}))
    pod = await node.until_ready("pod")
    env = node.container("pod").running_spec.env
    root = node.container("pod").root
    assert env["MESHCOURSE_POD_IP"] == env["MESHCOURSE_LISTEN_HOST"] == pod["status"]["podIP"]
    assert env["MESHCOURSE_APP_IP"].startswith(f"127.{NUMBER}.128.")
    assert env["MESHCOURSE_ROOT"] == str(root)
    assert env["HOSTNAME"] == "pod"
    assert f"{env['KUBERNETES_SERVICE_HOST']}:{env['KUBERNETES_SERVICE_PORT']}" in node.server.url
    assert env["http_proxy"] == env["grpc_proxy"] == f"http://127.{NUMBER}.255.1:3128"
    assert env["MESHCOURSE_POD_PORT_8080"] == env["MESHCOURSE_APP_PORT_8080"] == "8080"
    assert "USER" not in env
