from __future__ import annotations

import pytest
from aiohttp import web

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import addresses, refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.apiserver.builders import pod, service


async def _echo(request: web.Request) -> web.Response:
    body = await request.text()
    return web.Response(text=f"{request.method} {request.path_qs} {body}", status=418)


async def test_requests_are_passed_on(http: HttpClient, client: LocalClient) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    note = addresses.PodAddresses("127.0.0.1", "127.0.0.1", {8080: (port, port)})
    wanted = pod()
    wanted["metadata"]["annotations"] = {addresses.ANNOTATION: note.render()}
    wanted["spec"]["containers"][0]["ports"] = [{"containerPort": 8080, "name": "web"}]
    await client.create(refs.PODS, wanted)
    headers = {"Authorization": f"Bearer {http._endpoint.bearer()}"}
    for name in ("p", "p:8080", "http:p:web"):
        url = f"{http._endpoint.url}{refs.PODS.path('default', name, 'proxy')}/a/b?c=d"
        async with http._open().post(url, data="x", headers=headers) as response:
            assert response.status == 418
            assert await response.text() == "POST /a/b?c=d x"
    await runner.cleanup()


async def test_nobody_behind_the_name(http: HttpClient, client: LocalClient) -> None:
    await client.create(refs.SERVICES, service())
    await client.create(refs.PODS, pod())
    for path, words in (
        (refs.SERVICES.path("default", "svc", "proxy"), 'no endpoints available for service "svc"'),
        (refs.SERVICES.path("default", "svc:99", "proxy"), "no service port 99 found"),
        (refs.PODS.path("default", "p:80", "proxy"), "address not allowed"),
        (refs.NODES.path(None, "n", "proxy"), "the node has no HTTP API of its own"),
    ):
        with pytest.raises(ApiError, match=words) as caught:
            await http.raw(path)
        assert caught.value.code == 503
    with pytest.raises(ApiError, match='pods "none" not found'):
        await http.raw(refs.PODS.path("default", "none", "proxy"))


async def test_collections_are_deleted_by_selector(http: HttpClient, client: LocalClient) -> None:
    for name in "abc":
        wanted = pod(name)
        wanted["metadata"]["labels"] = {"keep": str(name == "b").lower()}
        await client.create(refs.PODS, wanted)
    path = refs.PODS.path("default")
    answer = await http.request("DELETE", path, query={"labelSelector": "keep=false"})
    assert (answer["kind"], len(answer["items"])) == ("PodList", 2)
    left = await http.list(refs.PODS)
    assert [obj["metadata"]["name"] for obj in left.items] == ["b"]
