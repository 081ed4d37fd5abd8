"""The informer against a server that forgets, breaks off and refuses."""

from __future__ import annotations

import pytest

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.shared import SharedInformers
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Key, Object
from tests.unit.controllers.fake import FakeClient
from tests.unit.controllers.world import until


class Seen(list[tuple[str, str]]):
    """A handler that notes ``(type, name)``."""

    def __call__(self, type_: str, obj: Object, old: Object | None) -> None:
        self.append((type_, objects.name(obj)))


async def put(client: FakeClient, name: str, **labels: str) -> Object:
    meta = {"name": name, "labels": labels}
    return await client.create(refs.CONFIGMAPS, {"metadata": meta}, "default")


async def started(client: FakeClient, seen: Seen) -> Informer:
    informer = Informer(client, refs.CONFIGMAPS)
    informer.add_handler(seen)
    await informer.start()
    return informer


async def test_start_returns_with_everything_in_the_cache() -> None:
    client, seen = FakeClient(), Seen()
    await put(client, "a")
    informer = await started(client, seen)
    assert seen == [("ADDED", "a")]
    assert informer.get("default", "a") is not None
    await put(client, "b")
    await client.patch(refs.CONFIGMAPS, "a", {"data": {"x": "y"}}, "default")
    await client.delete(refs.CONFIGMAPS, "b", "default")
    await until(lambda: len(seen) == 4)
    assert seen[1:] == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert list(informer.items) == [Key("default", "a")]
    assert informer.resource_version == 4
    await informer.stop()


async def test_a_watch_that_ends_is_resumed_without_listing() -> None:
    client, seen = FakeClient(), Seen()
    informer = await started(client, seen)
    client.end_watches(refs.CONFIGMAPS)
    await put(client, "a")
    await until(lambda: seen == [("ADDED", "a")])
    await informer.stop()


async def test_after_410_what_vanished_is_reported_as_deleted() -> None:
    client, seen = FakeClient(), Seen()
    for name in ("gone", "same", "changed", "replaced"):
        await put(client, name)
    informer = await started(client, seen)
    seen.clear()
    client.silently_remove(refs.CONFIGMAPS, Key("default", "gone"))
    client.silently_remove(refs.CONFIGMAPS, Key("default", "replaced"))
    log = list(client.log)
    await put(client, "replaced")
    await client.patch(refs.CONFIGMAPS, "changed", {"data": {"x": "y"}}, "default")
    client.log = log  # the informer's watch never sees these two
    client.end_watches(refs.CONFIGMAPS, expire=True)
    await until(lambda: len(seen) == 4)
    assert sorted(seen[:2]) == [("DELETED", "gone"), ("DELETED", "replaced")]
    assert sorted(seen[2:]) == [("ADDED", "replaced"), ("MODIFIED", "changed")]
    await informer.stop()


async def test_a_refusal_for_good_is_raised_by_start() -> None:
    class Refusing(FakeClient):
        async def list(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            raise status.not_found(refs.CONFIGMAPS, "")

    informer = Informer(Refusing(), refs.CONFIGMAPS)  # type: ignore[arg-type]
    with pytest.raises(status.ApiError, match="not found"):
        await informer.start()
    await informer.stop()


async def test_a_passing_failure_is_tried_again() -> None:
    class Flaky(FakeClient):
        attempts = 0

        async def list(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            self.attempts += 1
            if self.attempts < 3:
                raise ConnectionResetError("gone")
            return await super().list(*args, **kwargs)  # type: ignore[arg-type]

    client = Flaky()
    informer = Informer(client, refs.CONFIGMAPS)  # type: ignore[arg-type]
    await informer.start()
    assert client.attempts == 3
    await informer.stop()


async def test_one_bad_handler_does_not_end_the_watch() -> None:
    client, seen = FakeClient(), Seen()
    informer = Informer(client, refs.CONFIGMAPS)

    def bad(*_: object) -> None:
        raise RuntimeError("bad")

    informer.add_handler(bad)
    informer.add_handler(seen)
    await informer.start()
    await put(client, "a")
    await put(client, "b")
    await until(lambda: seen == [("ADDED", "a"), ("ADDED", "b")])
    await informer.stop()


async def test_a_late_handler_hears_of_what_is_there() -> None:
    client = FakeClient()
    await put(client, "a")
    informer = await started(client, Seen())
    late = Seen()
    informer.add_handler(late)
    assert late == [("ADDED", "a")]
    await informer.stop()


async def test_indexes_follow_changes() -> None:
    client, seen = FakeClient(), Seen()
    await put(client, "a", app="x", tier="1")
    await put(client, "b", app="x", tier="2")
    informer = await started(client, seen)
    informer.add_index("tier", lambda obj: [objects.labels(obj).get("tier", "")])

    def names(found: list[Object]) -> list[str]:
        return sorted(map(objects.name, found))

    assert names(informer.by_label({"app": "x"}, "default")) == ["a", "b"]
    assert names(informer.by_label({"app": "x", "tier": "2"}, "default")) == ["b"]
    assert names(informer.by_label({"app": "x"}, "other")) == []
    patch = {"metadata": {"labels": {"tier": "3"}, "ownerReferences": [{"uid": "u"}]}}
    await client.patch(refs.CONFIGMAPS, "b", patch, "default")
    await until(lambda: names(informer.by_index("tier", "3")) == ["b"])
    assert names(informer.by_label({"tier": "2"}, "default")) == []
    assert names(informer.by_owner("u")) == ["b"]
    assert names(informer.by_namespace("default")) == ["a", "b"]
    await informer.stop()


async def test_shared_informers_watch_once() -> None:
    client = FakeClient()
    shared = SharedInformers(client)
    assert shared.informer(refs.PODS) is shared.informer(refs.PODS)
    assert shared.informer(refs.PODS) is not shared.informer(refs.PODS, "default")
    await shared.start()
    assert shared.informer(refs.PODS).synced
    await shared.stop()
