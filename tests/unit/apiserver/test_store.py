from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.apiserver.store import events
from meshcourse.embedded.apiserver.store.store import Changed, Store
from meshcourse.embedded.kube.status import ApiError

_WRITER = """
import sys
from pathlib import Path
from meshcourse.embedded.apiserver.store.store import Store

store = Store(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    obj = {"metadata": {"name": f"n{number % 50}", "namespace": "d"}, "data": "x" * 500}
    old = store.get("things", "d", obj["metadata"]["name"])
    if old and number % 7 == 0:
        store.remove("things", old)
    elif old:
        obj["metadata"]["uid"] = old["metadata"].get("uid", "")
        store.replace("things", obj, old)
    else:
        store.add("things", obj)
    print(store.revision, len(store.list("things")), flush=True)
"""


def thing(name: str = "a", namespace: str = "d", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": "1"}, **more}


def test_revisions_grow_by_one_over_all_resources() -> None:
    store = Store()
    first = store.add("a", thing())
    second = store.add("b", thing())
    assert [o["metadata"]["resourceVersion"] for o in (first, second)] == ["1", "2"]
    gone = store.remove("a", first)
    assert gone["metadata"]["resourceVersion"] == "3"
    assert first["metadata"]["resourceVersion"] == "1"  # what others hold does not change
    assert store.revision == 3


def test_only_the_expected_object_is_replaced() -> None:
    store = Store()
    old = store.add("a", thing())
    new = store.replace("a", thing(x=1), old)
    with pytest.raises(Changed):
        store.replace("a", thing(x=2), old)
    with pytest.raises(Changed):
        store.remove("a", old)
    with pytest.raises(Changed):
        store.add("a", thing())
    assert store.get("a", "d", "a") is new


def test_lists_are_sorted_and_by_namespace() -> None:
    store = Store()
    for name, namespace in (("b", "y"), ("a", "y"), ("c", "x")):
        store.add("a", thing(name, namespace))
    assert [o["metadata"]["name"] for o in store.list("a")] == ["c", "a", "b"]
    assert [o["metadata"]["name"] for o in store.list("a", "y")] == ["a", "b"]


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "s" / "objects.db"
    store = Store(path)
    kept = store.add("a", thing("kept", x=1))
    store.remove("a", store.add("a", thing("gone")))
    store.close()
    again = Store(path)
    assert again.list("a") == [kept]
    assert again.revision == 3  # the removal counts
    assert again.add("a", thing("new"))["metadata"]["resourceVersion"] == "4"
    again.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_acknowledged_writes_survive_kill_minus_nine(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer.stdout as output:
        for _ in range(300):
            line = output.readline()
        os.kill(writer.pid, signal.SIGKILL)
        lines = [line, *output.readlines()]
    writer.wait(10)
    complete = [text for text in lines if text.endswith("\n")]
    revision, count = map(int, complete[-1].split())
    store = Store(path)
    # The writer may have committed one more than it could tell.
    assert store.revision in (revision, revision + 1)
    if store.revision == revision:
        assert len(store.list("things")) == count
    store.close()


async def test_a_watch_resumes_where_it_was() -> None:
    store = Store()
    first = store.add("a", thing())
    second = store.replace("a", thing(x=1), first)
    store.remove("a", second)
    subscription = store.subscribe("a", 1)
    batch = await subscription.next()
    assert batch is not None
    assert [(event.type, event.revision) for event in batch] == [("MODIFIED", 2), ("DELETED", 3)]
    assert batch[0].old is first
    assert await subscription.next(0.01) == []
    store.end_watches()
    assert await subscription.next() is None


def test_a_watch_from_the_forgotten_past_or_the_future_is_gone() -> None:
    store = Store()
    obj = store.add("a", thing())
    for number in range(events.RING + 5):
        obj = store.replace("a", thing(x=number), obj)
    store.add("quiet", thing())
    with pytest.raises(ApiError, match=r"too old resource version: 2 \(6\)"):
        store.subscribe("a", 2)
    store.subscribe("a", 6).close()
    store.subscribe("quiet", 1).close()  # nothing of it was forgotten
    with pytest.raises(ApiError) as caught:
        store.subscribe("a", store.revision + 1)
    assert (caught.value.code, caught.value.reason) == (410, "Expired")


def test_after_a_restart_only_the_present_can_be_watched(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    store.add("a", thing())
    store.add("a", thing("b"))
    store.close()
    again = Store(tmp_path / "db")
    with pytest.raises(ApiError, match="too old"):
        again.subscribe("a", 1)
    again.subscribe("a", 2).close()
    again.close()


async def test_a_reader_that_is_too_slow_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_BACKLOG", 3)
    store = Store()
    subscription = store.subscribe("a", 0)
    for number in range(5):
        store.add("a", thing(f"n{number}"))
    batch = await subscription.next()
    assert batch is not None
    assert len(batch) == 3
    assert await subscription.next() is None
