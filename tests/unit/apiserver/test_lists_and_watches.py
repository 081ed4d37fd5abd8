from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.rest import snapshots, watch
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.apiserver.store import events
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.client.protocol import WatchEvent
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.apiserver.builders import configmap, pod

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class Watching:
    """Events of a raw watch as JSON, one at a time."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines

    async def next(self) -> Any:
        return orjson.loads(await asyncio.wait_for(anext(self._lines), 5))

    async def at_end(self) -> bool:
        try:
            await asyncio.wait_for(anext(self._lines), 5)
        except StopAsyncIteration:
            return True
        return False


@contextlib.asynccontextmanager
async def watching(http: HttpClient, path: str, accept: str = "") -> AsyncIterator[Watching]:
    session = http._open()
    headers = {"Authorization": f"Bearer {http._endpoint.bearer()}"}
    if accept:
        headers["Accept"] = accept
    async with session.get(http._endpoint.url + path, headers=headers) as response:
        assert response.status == 200

        async def lines() -> AsyncIterator[bytes]:
            rest = b""
            async for chunk in response.content.iter_any():
                *found, rest = (rest + chunk).split(b"\n")
                for line in found:
                    yield line

        yield Watching(lines())


async def names(http: HttpClient, query: str) -> list[str]:
    found = await http.request("GET", f"{CONFIGMAPS}?{query}")
    return [objects.name(item) for item in found["items"]]


async def test_selectors_of_lists(http: HttpClient, client: LocalClient) -> None:
    await client.create(refs.CONFIGMAPS, configmap("a", labels={"x": "1"}))
    await client.create(refs.CONFIGMAPS, configmap("b", labels={"x": "2"}))
    assert await names(http, "labelSelector=x%3D1") == ["a"]
    assert await names(http, "labelSelector=x") == ["a", "b"]
    assert await names(http, "fieldSelector=metadata.name!%3Da") == ["b"]
    with pytest.raises(ApiError, match=r"field label not supported: data\.x"):
        await names(http, "fieldSelector=data.x%3D1")
    with pytest.raises(ApiError, match="unable to parse requirement"):
        await names(http, "labelSelector=a+b")


async def test_pages_show_one_moment(http: HttpClient, client: LocalClient) -> None:
    for name in "abcde":
        await client.create(refs.CONFIGMAPS, configmap(name))
    first = await http.request("GET", f"{CONFIGMAPS}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 3
    await client.delete(refs.CONFIGMAPS, "d", "default")
    await client.create(refs.CONFIGMAPS, configmap("bb"))
    token = first["metadata"]["continue"]
    second = await http.request("GET", f"{CONFIGMAPS}?limit=2&continue={token}")
    token = second["metadata"]["continue"]
    third = await http.request("GET", f"{CONFIGMAPS}?limit=2&continue={token}")
    found = [objects.name(item) for page in (first, second, third) for item in page["items"]]
    assert found == list("abcde")
    assert "continue" not in third["metadata"]
    revisions = {page["metadata"]["resourceVersion"] for page in (first, second, third)}
    assert len(revisions) == 1


async def test_old_continue_tokens_expire(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ApiError) as caught:
        await http.request("GET", f"{CONFIGMAPS}?continue=unknown")
    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    kept = snapshots.Snapshots()
    token = kept.keep([configmap()], "7")
    assert kept.take(token) == ([configmap()], "7")
    later = time.monotonic() + 301
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(ApiError, match="too old"):
        kept.take(token)


async def test_tables_and_metadata_only(http: HttpClient, client: LocalClient) -> None:
    made = await client.create(refs.CONFIGMAPS, configmap("a", x="1"))
    session = http._open()
    token = http._endpoint.bearer()

    async def fetch(path: str, accept: str) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        async with session.get(http._endpoint.url + path, headers=headers) as response:
            return await response.json()

    table = await fetch(CONFIGMAPS, TABLE)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 1]
    assert table["rows"][0]["object"]["metadata"] == made["metadata"]
    one = await fetch(f"{CONFIGMAPS}/a?includeObject=None", TABLE)
    assert "object" not in one["rows"][0]
    partial = await fetch(
        CONFIGMAPS, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    )
    assert partial["kind"] == "PartialObjectMetadataList"
    assert "data" not in partial["items"][0]
    refused = await fetch(CONFIGMAPS, "text/html")
    assert refused["code"] == 406


async def test_a_watch_tells_of_every_change(http: HttpClient, client: LocalClient) -> None:
    start = (await client.list(refs.CONFIGMAPS)).resource_version
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        async for event in http.watch(refs.CONFIGMAPS, "default", resource_version=start):
            seen.append((event.type, event.object["data"].get("a", "")))
            if event.type == "DELETED":
                return

    follower = asyncio.create_task(follow())
    made = await client.create(refs.CONFIGMAPS, configmap(a="1"))
    await client.update(refs.CONFIGMAPS, {**made, "data": {"a": "2"}})
    await client.delete(refs.CONFIGMAPS, "cm", "default")
    await asyncio.wait_for(follower, 5)
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


async def test_a_watch_without_a_version_begins_with_what_is_there(
    http: HttpClient, client: LocalClient
) -> None:
    await client.create(refs.CONFIGMAPS, configmap("a"))
    async with watching(http, f"{CONFIGMAPS}?watch=true") as watch:
        event = await watch.next()
        assert (event["type"], objects.name(event["object"])) == ("ADDED", "a")


async def test_the_legacy_path_and_a_single_name(http: HttpClient, client: LocalClient) -> None:
    await client.create(refs.CONFIGMAPS, configmap("a"))
    await client.create(refs.CONFIGMAPS, configmap("b"))
    async with watching(http, "/api/v1/watch/namespaces/default/configmaps/b") as watch:
        assert objects.name((await watch.next())["object"]) == "b"


async def test_an_object_that_stops_matching_is_deleted_for_the_watcher(
    http: HttpClient, client: LocalClient
) -> None:
    path = f"{CONFIGMAPS}?watch=true&labelSelector=x%3D1"
    async with watching(http, path) as watch:
        made = await client.create(refs.CONFIGMAPS, configmap("a"))
        matching = objects.clone(made)
        matching["metadata"]["labels"] = {"x": "1"}
        after = await client.update(refs.CONFIGMAPS, matching)
        event = await watch.next()
        assert event["type"] == "ADDED"
        changed = await client.patch(
            refs.CONFIGMAPS, "a", {"metadata": {"labels": {"x": "2"}}}, "default"
        )
        event = await watch.next()
        assert event["type"] == "DELETED"
        assert event["object"]["metadata"]["labels"] == {"x": "1"}
        version = changed["metadata"]["resourceVersion"]
        assert event["object"]["metadata"]["resourceVersion"] == version
        assert after["metadata"]["resourceVersion"] != version


async def test_pods_of_a_node(client: LocalClient) -> None:
    follower = client.watch(refs.PODS, field_selector="spec.nodeName=n")

    async def first() -> WatchEvent:
        async for event in follower:
            return event
        raise AssertionError("the watch ended")

    task = asyncio.create_task(first())
    await client.create(refs.PODS, pod("a"))
    await client.create(refs.PODS, pod("b", nodeName="n"))
    event = await asyncio.wait_for(task, 5)
    await follower.aclose()  # type: ignore[attr-defined]
    assert (event.type, objects.name(event.object)) == ("ADDED", "b")


async def test_streaming_lists_end_with_a_bookmark(http: HttpClient, client: LocalClient) -> None:
    made = await client.create(refs.CONFIGMAPS, configmap("a"))
    query = (
        "watch=true&sendInitialEvents=true&allowWatchBookmarks=true"
        "&resourceVersionMatch=NotOlderThan"
    )
    async with watching(http, f"{CONFIGMAPS}?{query}") as watch:
        assert (await watch.next())["object"] == made
        bookmark = await watch.next()
        assert bookmark["type"] == "BOOKMARK"
        notes = bookmark["object"]["metadata"]["annotations"]
        assert notes == {"k8s.io/initial-events-end": "true"}


async def test_bookmarks_on_a_quiet_watch(
    http: HttpClient, client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_BOOKMARK_INTERVAL", 0.05)
    version = (await client.list(refs.CONFIGMAPS)).resource_version
    path = f"{CONFIGMAPS}?watch=true&allowWatchBookmarks=true&resourceVersion={version}"
    async with watching(http, path) as stream:
        bookmark = await stream.next()
        assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
        assert bookmark["object"]["metadata"]["resourceVersion"] == version


async def test_stale_watches_are_told_in_the_stream(
    http: HttpClient, client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "RING", 3)
    for number in range(6):
        await client.create(refs.CONFIGMAPS, configmap(f"n{number}"))
    async with watching(http, f"{CONFIGMAPS}?watch=true&resourceVersion=1") as stream:
        event = await stream.next()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        assert event["object"]["reason"] == "Expired"
        assert await stream.at_end()
    with pytest.raises(ApiError) as caught:
        async for _ in http.watch(refs.CONFIGMAPS, resource_version="1"):
            pass
    assert caught.value.code == 410


async def test_tables_are_watched_too(http: HttpClient, client: LocalClient) -> None:
    async with watching(http, f"{CONFIGMAPS}?watch=true", TABLE) as stream:
        await client.create(refs.CONFIGMAPS, configmap("a"))
        first = await stream.next()
        await client.create(refs.CONFIGMAPS, configmap("b"))
        second = await stream.next()
    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_watches_end_at_their_deadline(http: HttpClient) -> None:
    async with watching(http, f"{CONFIGMAPS}?watch=true&timeoutSeconds=1") as stream:
        started = time.monotonic()
        assert await stream.at_end()
        assert 0.5 < time.monotonic() - started < 4


async def test_watches_end_cleanly_with_the_server(tmp_path: Path) -> None:
    server = Server(tmp_path, "test", cluster_number=99)
    await server.start()
    async with HttpClient.from_kubeconfig(server.kubeconfig_path) as http:
        async with watching(http, f"{CONFIGMAPS}?watch=true") as stream:
            local = asyncio.create_task(_drain(server.local("x").watch(refs.CONFIGMAPS)))
            await asyncio.sleep(0)
            await server.stop()
            assert await stream.at_end()
            await asyncio.wait_for(local, 5)
        with pytest.raises(ApiError, match="cannot reach the API server"):
            await http.list(refs.CONFIGMAPS)


async def _drain(stream: AsyncIterator[WatchEvent]) -> None:
    async for _ in stream:
        pass


async def test_a_client_that_goes_leaves_no_subscription(
    server: Server, http: HttpClient, client: LocalClient
) -> None:
    async with watching(http, f"{CONFIGMAPS}?watch=true") as stream:
        await client.create(refs.CONFIGMAPS, configmap("a"))
        await stream.next()
        topic = server.core.store._topic("configmaps")
        assert len(topic.subscriptions) == 1
    await http.close()
    deadline = time.monotonic() + 5
    while topic.subscriptions and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert not topic.subscriptions
