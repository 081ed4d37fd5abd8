from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.status import ApiError
from meshcourse.errors import MeshcourseError
from tests.unit.apiserver.builders import configmap


async def test_the_agent_is_the_field_manager(http: HttpClient) -> None:
    made = await http.create(refs.CONFIGMAPS, configmap())
    assert made["metadata"]["managedFields"][0]["manager"] == "tester"
    named = await http.create(refs.CONFIGMAPS, configmap("b"), field_manager="me")
    assert named["metadata"]["managedFields"][0]["manager"] == "me"


async def test_all_pages_are_fetched(
    http: HttpClient, client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshcourse.embedded.client.http._PAGE", 2)
    for number in range(5):
        await client.create(refs.CONFIGMAPS, configmap(f"n{number}"))
    found = await http.list(refs.CONFIGMAPS, "default")
    assert [objects.name(obj) for obj in found.items] == [f"n{number}" for number in range(5)]
    assert found == await client.list(refs.CONFIGMAPS, "default")


async def test_objects_larger_than_a_read_arrive_whole(
    http: HttpClient, client: LocalClient
) -> None:
    text = "x" * 700_000

    async def first() -> str:
        async for event in http.watch(refs.CONFIGMAPS, resource_version="1"):
            found: str = event.object["data"]["big"]
            return found
        return ""

    task = asyncio.create_task(first())
    await client.create(refs.CONFIGMAPS, configmap(big=text))
    assert await asyncio.wait_for(task, 5) == text


async def test_closing_ends_watches(server: Server) -> None:
    http = HttpClient.from_kubeconfig(server.kubeconfig_path)
    begun = asyncio.Event()

    async def follow() -> None:
        async for _ in http.watch(refs.NAMESPACES):
            begun.set()

    task = asyncio.create_task(follow())
    await asyncio.wait_for(begun.wait(), 5)
    await http.close()
    await asyncio.wait_for(task, 5)
    await http.list(refs.NAMESPACES)  # a closed client opens again when it is used
    await http.close()


async def test_tokens_are_read_anew(server: Server, client: LocalClient, tmp_path: Path) -> None:
    config = yaml.safe_load(server.kubeconfig_path.read_text())
    token = tmp_path / "token"
    token.write_text("wrong")
    async with HttpClient(server.url, ca=server.ca_path, token=token) as http:
        with pytest.raises(ApiError, match="Unauthorized"):
            await http.list(refs.CONFIGMAPS)
        token.write_text(config["users"][0]["user"]["token"] + "\n")
        await http.list(refs.CONFIGMAPS)


async def test_inside_a_pod(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHCOURSE_ROOT", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(MeshcourseError, match="does not run in a pod") as caught:
        HttpClient.in_pod()
    assert caught.value.remedy
    mount = tmp_path / "var/run/secrets/kubernetes.io/serviceaccount"
    mount.mkdir(parents=True)
    (mount / "ca.crt").write_bytes(server.ca_path.read_bytes())
    (mount / "token").write_text("x")
    host, _, port = server.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    async with HttpClient.in_pod() as http:
        with pytest.raises(ApiError, match="Unauthorized"):
            await http.list(refs.CONFIGMAPS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "a: b",
        "current-context: x\ncontexts: []",
        "current-context: x\ncontexts: [{name: x}]",
    ],
)
def test_kubeconfigs_that_lead_nowhere(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(MeshcourseError, match="does not lead to a cluster") as caught:
        HttpClient.from_kubeconfig(path)
    assert caught.value.remedy


async def test_another_servers_certificate(server: Server, tmp_path: Path) -> None:
    other = Server(tmp_path / "other", "other", cluster_number=98)
    await other.start()
    async with HttpClient(server.url, ca=other.ca_path, token="x") as http:
        with pytest.raises(ApiError, match="cannot reach the API server"):
            await http.list(refs.CONFIGMAPS)
    await other.stop()
