"""The server as a whole: from nothing, again, and its documents."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshcourse import versions
from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.status import ApiError
from meshcourse.errors import MeshcourseError
from tests.unit.apiserver.builders import configmap


async def test_what_every_cluster_has(client: LocalClient) -> None:
    names = [objects.name(obj) for obj in (await client.list(refs.NAMESPACES)).items]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    service = await client.get(refs.SERVICES, "kubernetes", "default")
    assert service["spec"]["clusterIP"] == "127.99.200.1"
    endpoints = await client.get(refs.ENDPOINTSLICES, "kubernetes", "default")
    assert endpoints["endpoints"][0]["addresses"] == ["127.0.0.1"]


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path, "test", cluster_number=99)
    await server.start()
    url, kubeconfig = server.url, server.kubeconfig_path.read_bytes()
    made = await server.local("x").create(refs.CONFIGMAPS, configmap(a="1"))
    revision = server.core.store.revision
    await server.stop()
    await server.stop()  # harmless
    again = Server(tmp_path, "test", cluster_number=99)
    await again.start()
    assert again.url == url
    assert again.kubeconfig_path.read_bytes() == kubeconfig
    assert again.core.store.revision == revision
    async with HttpClient.from_kubeconfig(again.kubeconfig_path) as http:
        assert await http.get(refs.CONFIGMAPS, "cm", "default") == made
    await again.stop()


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(tmp_path, "test", cluster_number=99)
        with pytest.raises(MeshcourseError, match="cannot listen on") as caught:
            await server.start(port=port)
        assert caught.value.remedy
    await server.start()
    await server.stop()


async def test_the_endpoint_follows_the_port(tmp_path: Path) -> None:
    server = Server(tmp_path, "test", cluster_number=99)
    await server.start()
    await server.stop()
    (tmp_path / "apiserver" / "port").unlink()
    again = Server(tmp_path, "test", cluster_number=99)
    await again.start()
    found = await again.local("x").get(refs.ENDPOINTSLICES, "kubernetes", "default")
    assert again.url.endswith(f":{found['ports'][0]['port']}")
    await again.stop()


async def test_the_kubeconfig_is_one_that_others_read(server: Server) -> None:
    config = yaml.safe_load(server.kubeconfig_path.read_text())
    assert config["current-context"] == "test"
    assert config["clusters"][0]["cluster"]["server"] == server.url


async def test_the_version_taught(http: HttpClient) -> None:
    found = await http.request("GET", "/version")
    assert found["gitVersion"].startswith(versions.KUBERNETES)
    assert f"v{found['major']}.{found['minor']}." in found["gitVersion"]


async def fetch(http: HttpClient, path: str, accept: str) -> Any:
    headers = {"Authorization": f"Bearer {http._endpoint.bearer()}", "Accept": accept}
    async with http._open().get(http._endpoint.url + path, headers=headers) as response:
        return response.content_type, await response.json()


async def test_aggregated_discovery(http: HttpClient) -> None:
    accept = (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
    )
    media, core = await fetch(http, "/api", accept)
    assert media == "application/json"
    assert core["apiVersion"] == "apidiscovery.k8s.io/v2"
    resources = {entry["resource"]: entry for entry in core["items"][0]["versions"][0]["resources"]}
    assert resources["pods"]["scope"] == "Namespaced"
    assert "log" in {sub["subresource"] for sub in resources["pods"]["subresources"]}
    _, groups = await fetch(http, "/apis", accept)
    names = [item["metadata"]["name"] for item in groups["items"]]
    assert {"apps", "batch", "networking.k8s.io", "metrics.k8s.io"} <= set(names)
    _, plain = await fetch(http, "/apis", "application/json")
    assert [group["name"] for group in plain["groups"]] == names


async def test_every_group_version_that_is_listed_is_there(http: HttpClient) -> None:
    groups = (await http.request("GET", "/apis"))["groups"]
    versions_ = [entry["groupVersion"] for group in groups for entry in group["versions"]]
    assert len(versions_) > 15
    for group_version in versions_:
        found = await http.request("GET", f"/apis/{group_version}")
        assert found["groupVersion"] == group_version
        for entry in found["resources"]:
            if "list" in entry["verbs"]:
                await http.request("GET", f"/apis/{group_version}/{entry['name']}")


async def test_every_kind_of_the_core_group_lists(http: HttpClient) -> None:
    found = (await http.request("GET", "/api/v1"))["resources"]
    listed = [entry["name"] for entry in found if "list" in entry["verbs"]]
    assert len(listed) > 12
    for name in listed:
        assert "items" in await http.request("GET", f"/api/v1/{name}")


async def test_health_and_openapi(http: HttpClient) -> None:
    for path in ("/healthz", "/livez", "/readyz?verbose=1"):
        assert await http.raw(path) == b"ok"
    index = (await http.request("GET", "/openapi/v3"))["paths"]
    url = index["apis/apps/v1"]["serverRelativeURL"]
    assert b"Deployment" in await http.raw(url)
    assert len(await http.raw("/openapi/v2")) > 1000
    for path in ("/openapi/v4", "/openapi/v3/apis/none/v1"):
        with pytest.raises(ApiError) as caught:
            await http.raw(path)
        assert caught.value.code == 404


async def test_metrics_without_a_node(http: HttpClient) -> None:
    assert (await http.list(refs.POD_METRICS)).items == []
    with pytest.raises(ApiError) as caught:
        await http.get(refs.POD_METRICS, "p", "default")
    assert caught.value.code == 404
