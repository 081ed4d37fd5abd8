"""kube-proxy with a real Envoy: Services by address and by name, changes without loss, ports that others hold."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import socket
from collections import Counter
from typing import Any

import aiohttp
import pytest

from meshcourse.embedded.kube import addresses, refs
from meshcourse.embedded.kubelet import addressing
from meshcourse.embedded.kubelet.proxy import doors
from tests.integration.kubelet.conftest import Node, make_pod

READY = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}


def service(name: str, selector: str, port: int = 80, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": selector},
            "ports": [{"name": "http", "port": port, "targetPort": 8080, **spec.pop("port_", {})}],
            **spec,
        },
    }


def web(name: str, label: str = "web") -> dict[str, Any]:
    container = {"ports": [{"containerPort": 8080}], "readinessProbe": READY}
    pod = make_pod(name, "web", container=container)
    pod["metadata"]["labels"] = {"app": label}
    return pod


async def settled(node: Node, name: str, endpoints: int) -> None:
    """Wait until kube-proxy has so many endpoints of a Service."""
    async with asyncio.timeout(10):
        while True:
            view = node.kubelet._proxy._view(node.kubelet._proxy._services.items.values())
            found = next((p for p in view.ports if p.service.name == name), None)
            if found is not None and len(found.endpoints) == endpoints:
                break
            await asyncio.sleep(0.01)
        await node.kubelet._proxy.settled()


@pytest.fixture
async def served(node: Node) -> Node:
    """A Service with one ready pod."""
    await node.client.create(refs.SERVICES, service("web", "web"), "default")
    await node.run(web("web-1"))
    await node.until_ready("web-1")
    await settled(node, "web", 1)
    return node


async def get(url: str, proxy: str | None = None) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, proxy=proxy) as answer:
        return answer.status, await answer.text()


async def cluster_url(node: Node, name: str = "web", port: int = 80) -> str:
    found = await node.client.get(refs.SERVICES, name, "default")
    host, real = addresses.service_endpoint(found, port)
    return f"http://{host}:{real}"


async def test_a_service_answers_at_its_cluster_ip_and_spreads_over_its_pods(served: Node) -> None:
    url = await cluster_url(served)
    assert await get(url) == (200, "web-1")
    await served.run(web("web-2"))
    await served.until_ready("web-2")
    await settled(served, "web", 2)
    answers = Counter([(await get(url))[1] for _ in range(60)])
    assert set(answers) == {"web-1", "web-2"}
    assert min(answers.values()) > 10


@pytest.mark.parametrize(
    ("namespace", "name", "expected"),
    [
        ("default", "web", 200),
        ("default", "web:80", 200),
        ("default", "web.default", 200),
        ("default", "web.default.svc", 200),
        ("default", "web.default.svc.cluster.local", 200),
        ("other", "web.default.svc.cluster.local:80", 200),
        ("other", "web", 503),
        ("default", "web:81", 503),
        ("default", "no-such-host.invalid", 503),
    ],
)
async def test_names_as_seen_from_a_namespace(
    served: Node, namespace: str, name: str, expected: int
) -> None:
    proxy = served.kubelet._proxy.environment(namespace)["http_proxy"]
    await served.kubelet._proxy.settled()
    status, text = await get(f"http://{name}/", proxy)
    assert status == expected
    assert (text == "web-1") == (expected == 200)


async def test_requests_arrive_as_they_were_sent(served: Node) -> None:
    proxy = served.kubelet._proxy.environment("default")["http_proxy"]
    _, text = await get("http://web/env", proxy)
    headers = {name.lower() for name in json.loads(text)["headers"]}
    assert headers == {"host", "accept", "accept-encoding", "user-agent"}


async def test_a_tunnel_to_a_service_and_to_an_address(served: Node) -> None:
    proxy = served.kubelet._proxy.environment("default")["grpc_proxy"]
    host, port = proxy.removeprefix("http://").split(":")
    pod = await served.pod("web-1")
    for target in ("web.default:80", f"{pod['status']['podIP']}:8080"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"CONNECT {target} HTTP/1.0\r\n\r\n".encode())  # 1.0 as http.client sends it
        assert b" 200 " in await reader.readline()
        while (await reader.readline()).strip():
            pass
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"web-1")
        writer.close()
        await writer.wait_closed()


async def test_a_service_without_endpoints_refuses(node: Node) -> None:
    await node.client.create(refs.SERVICES, service("empty", "nobody"), "default")
    await settled(node, "empty", 0)
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(await cluster_url(node, "empty"))


async def test_an_external_name(served: Node) -> None:
    external = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "outside"},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": 8081}]},
    }
    pod = await served.pod("web-1")
    await served.client.create(refs.SERVICES, external, "default")
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        patch = {"spec": {"ports": [{"port": port}]}}
        await served.client.patch(refs.SERVICES, "outside", patch, "default")
        proxy = served.kubelet._proxy.environment("default")["http_proxy"]
        async with asyncio.timeout(10):
            while (await get(f"http://outside:{port}/", proxy)) != (200, "outside"):
                await asyncio.sleep(0.02)
    assert pod["status"]["phase"] == "Running"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\noutside")
    await writer.drain()
    writer.close()


def _free_node_port() -> int:
    """Other clusters on this machine may have node ports too."""
    ports = random.sample(range(30000, 32768), 50)
    return next(port for port in ports if not addressing.bind_problem("127.0.0.1", port))


async def test_node_ports_and_load_balancers_listen(served: Node) -> None:
    made = service("out", "web", type="LoadBalancer", port_={"nodePort": _free_node_port()})
    await served.client.create(refs.SERVICES, made, "default")

    def balanced(found: dict[str, Any]) -> bool:
        return bool(found.get("status", {}).get("loadBalancer", {}).get("ingress"))

    found = await served.until("out", balanced, resource=refs.SERVICES)
    await settled(served, "out", 1)
    node_port = found["spec"]["ports"][0]["nodePort"]
    assert await get(f"http://127.0.0.1:{node_port}") == (200, "web-1")
    ip = found["status"]["loadBalancer"]["ingress"][0]["ip"]
    _, real = addresses.service_endpoint(found, 80)
    assert await get(f"http://{ip}:{real}") == (200, "web-1")


async def test_a_load_balancer_is_closed_as_long_as_its_pods_are(served: Node) -> None:
    """Connections are refused, not accepted and dropped: the pod is ready, but does not listen at this port."""
    if doors.listeners() is None:
        pytest.skip("this system does not tell who listens")
    made = service("shut", "web", type="LoadBalancer", port_={"targetPort": 9})
    await served.client.create(refs.SERVICES, made, "default")

    def balanced(found: dict[str, Any]) -> bool:
        return bool(found.get("status", {}).get("loadBalancer", {}).get("ingress"))

    found = await served.until("shut", balanced, resource=refs.SERVICES)
    await settled(served, "shut", 1)
    ip = found["status"]["loadBalancer"]["ingress"][0]["ip"]
    _, real = addresses.service_endpoint(found, 80)
    with socket.socket() as client:
        assert client.connect_ex((ip, real)) == errno.ECONNREFUSED


async def test_a_port_that_another_program_holds_is_told_and_tried_again(served: Node) -> None:
    with socket.socket() as busy:
        port = _free_node_port()
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", port))
        busy.listen()
        made = service("held", "web", type="NodePort", port_={"nodePort": port})
        await served.client.create(refs.SERVICES, made, "default")
        await settled(served, "held", 1)
        await served.kubelet._proxy._recorder.flush()
        told = dict(await served.events("held"))["FailedToListen"]
        assert told.startswith(
            f"cannot listen on 127.0.0.1:{port}: address already in use; stop the"
        )
        assert await get(await cluster_url(served, "held")) == (200, "web-1")
    served.kubelet._proxy._dirty.set()  # do not wait for the next try
    await served.kubelet._proxy.settled()
    async with asyncio.timeout(10):
        while served.kubelet._proxy._blocked:
            await asyncio.sleep(0.02)
    await served.kubelet._proxy.settled()
    assert await get(f"http://127.0.0.1:{port}") == (200, "web-1")


async def test_no_request_is_lost_while_pods_come_and_go(served: Node) -> None:
    """Ten changes of the endpoints under load, through the cluster IP and through the forward proxy."""
    url = await cluster_url(served)
    proxy = served.kubelet._proxy.environment("default")["http_proxy"]
    await served.kubelet._proxy.settled()
    results: Counter[Any] = Counter()
    stop = asyncio.Event()

    async def load(target: str, via: str | None) -> None:
        async with aiohttp.ClientSession() as session:
            while not stop.is_set():
                try:
                    async with session.get(target, proxy=via) as answer:
                        await answer.read()
                        results[answer.status] += 1
                except aiohttp.ClientError as error:
                    results[repr(error)] += 1
                await asyncio.sleep(0.002)

    paths = [(url, None), ("http://web/", proxy)] * 3
    loads = [asyncio.create_task(load(*path)) for path in paths]
    for index in range(8):
        before = results[200]
        await served.run(web(f"more-{index}"))
        await served.until_ready(f"more-{index}")
        await settled(served, "web", 2)
        label = {"metadata": {"labels": {"app": "retired"}}}
        await served.client.patch(refs.PODS, f"more-{index}", label, "default")
        await settled(served, "web", 1)
        async with asyncio.timeout(10):
            while results[200] < before + 50:
                await asyncio.sleep(0.005)
    stop.set()
    await asyncio.gather(*loads)
    assert set(results) == {200}
    assert results[200] >= 400


async def test_envoy_is_started_again_when_it_dies(served: Node) -> None:
    pid = served.kubelet._proxy.pid
    assert pid is not None
    os.kill(pid, 9)
    url = await cluster_url(served)
    async with asyncio.timeout(10):
        while True:
            try:
                assert await get(url) == (200, "web-1")
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
    assert served.kubelet._proxy.pid != pid


async def test_nothing_is_open_to_others(served: Node) -> None:
    directory = served.directory / "kube-proxy"
    assert directory.stat().st_mode & 0o077 == 0
    assert (directory / "admin.sock").stat().st_mode & 0o077 == 0
    for name in ("clusters.json", "listeners.json", "routes.json"):
        assert (directory / name).stat().st_mode & 0o077 == 0
