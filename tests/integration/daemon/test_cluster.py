"""A whole cluster through the launcher: start, attach, kill, resume, stop, and nothing left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.daemon import census, launcher, report, state
from meshcourse.errors import MeshcourseError

NAME = "whole"


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield
    for name in state.names():
        launcher.down(name, delete=True)


def until(condition: Callable[[], Any], limit: float = 15.0) -> Any:
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
    return found


def call(method: str, path: str, body: Any = None, name: str = NAME) -> Any:
    """One request to the cluster's API with the credentials of its kubeconfig."""
    config = json.loads(launcher.kubeconfig_path(name).read_text())
    return report.request(config, path, method=method, body=body)


def make_pod(pod: str, *command: str) -> None:
    container = {"name": "app", "image": "mine", "args": list(command)}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": spec}
    call("POST", "/api/v1/namespaces/default/pods", body)


def pod_is(pod: str, phase: str, restarts: int = 0) -> Callable[[], bool]:
    def condition() -> bool:
        found = launcher.status(NAME)["pods"] or []
        wanted = {"name": pod, "phase": phase, "restarts": restarts}
        return any(wanted.items() <= each.items() for each in found)

    return condition


def members() -> list[int]:
    return census.members(state.of(NAME).directory)


@pytest.fixture
def cluster() -> launcher.Handle:
    """A cluster with one running pod of the learner's own image."""
    launcher.add_image("mine", ["sh", "-c"], NAME)
    handle = launcher.up(NAME)
    make_pod("web", "exec sleep 600")
    until(pod_is("web", "Running"))
    return handle


def test_up_tells_its_stages_and_a_second_up_attaches(tmp_path: Path) -> None:
    told: list[launcher.Stage] = []
    first = launcher.up(NAME, told.append)
    assert [stage.name for stage in told] == ["API server", "controllers", "kubelet"]
    assert told == first.stages
    assert not first.attached
    second = launcher.up(NAME)
    assert second.attached
    assert (second.pid, second.url) == (first.pid, first.url)
    directory = tmp_path / "meshcourse" / NAME
    assert (directory / "daemon.pid").read_text().strip() == str(first.pid)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert first.kubeconfig.stat().st_mode & 0o777 == 0o600
    secrets = [path for path in directory.rglob("*") if path.is_file()]
    assert len(secrets) > 5
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


def test_every_process_names_the_cluster(cluster: launcher.Handle) -> None:
    commands = {census.command_line(pid) for pid in members()}
    ours = {command for command in commands if not command.startswith("sleep")}
    assert len(ours) >= 3
    assert all(NAME in command for command in ours), ours


def test_status(cluster: launcher.Handle) -> None:
    found = launcher.status(NAME)
    assert found["running"] is True
    assert (found["pid"], found["url"]) == (cluster.pid, cluster.url)
    assert set(found["memory_by_kind"]) == {"daemon", "fork server", "kube-proxy", "containers"}
    assert found["memory"] == sum(found["memory_by_kind"].values()) > 10 << 20
    (pod,) = found["pods"]
    assert pod == {
        "namespace": "default",
        "name": "web",
        "phase": "Running",
        "ready": 1,
        "containers": 1,
        "restarts": 0,
    }
    assert launcher.list_clusters() == [NAME]
    assert "is ready at" in launcher.logs(NAME)


def test_a_killed_daemon_takes_everything_along_and_up_resumes(cluster: launcher.Handle) -> None:
    pids = members()
    assert len(pids) >= 4
    os.kill(cluster.pid, signal.SIGKILL)
    until(lambda: not members(), limit=1.0)
    assert launcher.status(NAME)["running"] is False
    again = launcher.up(NAME)
    assert not again.attached
    assert again.url == cluster.url
    until(pod_is("web", "Running", restarts=1))


@pytest.mark.parametrize("kind", ["fork server", "kube-proxy", "containers"])
def test_any_other_process_may_be_killed(cluster: launcher.Handle, kind: str) -> None:
    victim = next(
        each["pid"] for each in launcher.status(NAME)["processes"] if each["kind"] == kind
    )
    os.kill(victim, signal.SIGKILL)
    restarts = 0 if kind == "kube-proxy" else 1
    until(pod_is("web", "Running", restarts))
    until(lambda: kind in launcher.status(NAME)["memory_by_kind"])
    assert launcher.up(NAME).pid == cluster.pid


def test_down_leaves_no_process_port_or_socket(cluster: launcher.Handle) -> None:
    directory = state.of(NAME).directory
    assert launcher.down(NAME)
    assert members() == []
    assert not [path for path in directory.rglob("*") if path.is_socket()]
    assert not (directory / "daemon.pid").exists()
    port = int(cluster.url.rpartition(":")[2])
    assert str(port) not in _listening()
    assert launcher.status(NAME)["running"] is False
    launcher.up(NAME)
    until(pod_is("web", "Running", restarts=1))
    launcher.down(NAME, delete=True)
    assert not directory.exists()
    assert not launcher.down(NAME)


def _listening() -> set[str]:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {str(int(each[1].split(":")[1], 16)) for each in fields if each[3] == "0A"}


def test_down_stops_containers_gracefully(cluster: launcher.Handle, tmp_path: Path) -> None:
    note = tmp_path / "note"
    make_pod("polite", f"trap 'echo bye > {note}; exit 0' TERM; while true; do sleep 0.05; done")
    until(pod_is("polite", "Running"))
    launcher.down(NAME)
    assert note.read_text() == "bye\n"


def test_down_finds_what_a_dead_daemon_left() -> None:
    own = state.of(NAME)
    own.make()
    environment = {**os.environ, census.MARKER: str(own.directory)}
    orphan = subprocess.Popen(["sleep", "600"], env=environment)
    own.pid_file.write_text(f"{orphan.pid}\n")  # a stale pid that now belongs to another process
    assert launcher.status(NAME)["running"] is False
    assert launcher.down(NAME)
    assert orphan.wait(5) == -signal.SIGKILL


def test_a_pid_that_belongs_to_somebody_else_is_left_alone() -> None:
    own = state.of(NAME)
    own.make()
    own.pid_file.write_text(f"{os.getpid()}\n")
    assert launcher.status(NAME)["running"] is False
    handle = launcher.up(NAME)
    assert handle.pid != os.getpid()


def test_two_ups_at_once_make_one_cluster() -> None:
    handles: list[launcher.Handle] = []
    threads = [threading.Thread(target=lambda: handles.append(launcher.up(NAME))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({handle.pid for handle in handles}) == 1
    assert sorted(handle.attached for handle in handles) == [False, True]


def test_two_clusters_side_by_side() -> None:
    first, second = launcher.up("one"), launcher.up("two")
    assert first.pid != second.pid
    numbers = {launcher.status(name)["number"] for name in ("one", "two")}
    assert len(numbers) == 2
    assert launcher.list_clusters() == ["one", "two"]
    launcher.down("one")
    assert launcher.status("two")["running"] is True


def test_a_number_that_another_state_root_uses_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher.up(NAME)
    number = launcher.status(NAME)["number"]
    with monkeypatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        other = state.of(NAME)
        other.make()
        state.write_atomic(other.info_file, json.dumps({"number": number}))
        with pytest.raises(MeshcourseError, match="are in use by another cluster"):
            launcher.up(NAME)


def test_a_daemon_that_cannot_start_says_why() -> None:
    own = state.of(NAME)
    own.make()
    (own.directory / "apiserver").write_text("in the way")
    with pytest.raises(MeshcourseError, match="ended while starting") as caught:
        launcher.up(NAME)
    assert "apiserver" in caught.value.message
    assert "meshcourse doctor" in caught.value.remedy
    assert members() == []


def test_bad_names_are_refused() -> None:
    with pytest.raises(MeshcourseError, match="invalid cluster name"):
        launcher.up("Not A Name")


def test_the_learner_s_images() -> None:
    assert launcher.add_image("my-app:v1", ["python", "app.py"], NAME) == "my-app"
    images = launcher.list_images(NAME)
    assert images["my-app"] == ["python", "app.py"]
    assert images["examples-bookinfo-details-v1"] == []
    assert launcher.remove_image("my-app", NAME)
    assert "my-app" not in launcher.list_images(NAME)


def test_the_launcher_imports_the_standard_library_only() -> None:
    program = (
        "import sys; import meshcourse.embedded.daemon.launcher; "
        "print([m for m in ('aiohttp', 'grpc', 'orjson', 'yaml', 'cryptography') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_one_address_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What machines without 127/8 do: ports of 127.0.0.1, written down in annotations."""
    monkeypatch.setenv("MESHCOURSE_ADDRESSING", "ports")
    launcher.up(NAME)
    labels = {"app": "details"}
    container = {
        "name": "app",
        "image": "examples-bookinfo-details-v1:1.20.3",
        "ports": [{"containerPort": 9080}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 9080}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "details", "labels": labels},
        "spec": {"containers": [container]},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "details"},
        "spec": {"selector": labels, "ports": [{"port": 9080}]},
    }
    call("POST", "/api/v1/namespaces/default/pods", pod)
    call("POST", "/api/v1/namespaces/default/services", service)

    def ready() -> bool:
        return bool((launcher.status(NAME)["pods"] or [{"ready": 0}])[0]["ready"])

    until(ready)

    def address() -> Any:
        found = call("GET", "/api/v1/namespaces/default/services/details")
        return found["metadata"].get("annotations", {}).get("meshcourse.io/addresses")

    where = json.loads(until(address))
    assert where["clusterIP"] == "127.0.0.1"
    url = f"http://127.0.0.1:{where['ports']['9080']}/details/0"
    until(lambda: _fetch(url))
    assert json.loads(_fetch(url))["author"] == "William Shakespeare"


def _fetch(url: str) -> str:
    import urllib.request

    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())
    return ""
