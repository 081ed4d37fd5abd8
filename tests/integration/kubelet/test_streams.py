"""Logs, exec, attach, port-forward and resource use of real containers."""

from __future__ import annotations

import asyncio
import io
import tarfile
from typing import Any

import pytest

from meshcourse.embedded.apiserver.streams.backend import LogOptions
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet import catalogue
from tests.integration.kubelet.conftest import Node, container_status, make_pod, waiting_for


async def logs(node: Node, pod: str, **options: Any) -> str:
    found = node.kubelet.logs("default", pod, "app", LogOptions(**options))
    return b"".join([chunk async for chunk in found]).decode()


async def run(node: Node, *command: str, stdin: bytes | None = None, tty: bool = False) -> Any:
    """Exit code, output and errors."""
    session = await node.kubelet.exec(
        "default", "pod", "app", command, stdin=stdin is not None or tty, tty=tty
    )
    try:
        if stdin is not None:
            await session.write(stdin)
            await session.close_stdin()
        out = await session.stdout.read()
        err = await session.stderr.read() if session.stderr is not None else b""
        return await session.wait(), out.decode(), err.decode()
    finally:
        await session.kill()


@pytest.fixture
async def pod(node: Node) -> Node:
    probe = {"tcpSocket": {"port": 8080}}
    await node.run(make_pod("pod", "web", container={"readinessProbe": probe}))
    await node.until_ready("pod")
    return node


async def test_logs_of_a_running_and_of_an_ended_container(pod: Node) -> None:
    while not await logs(pod, "pod"):
        await asyncio.sleep(0.01)
    assert await logs(pod, "pod") == "listening\n"
    await pod.run(make_pod("done", "hello", restartPolicy="Never"))
    await pod.until("done", lambda found: "terminated" in container_status(found).get("state", {}))
    assert await logs(pod, "done", follow=True) == "hello\n"


async def test_logs_of_earlier_lives(node: Node) -> None:
    catalogue.add(
        node.directory / "images.json", "count", ["sh", "-c", "ls >> n; wc -l < n; exit 1"]
    )
    await node.run(make_pod("pod", "count"))
    await node.until("pod", waiting_for("CrashLoopBackOff"))
    last = int(await logs(node, "pod"))
    assert int(await logs(node, "pod", previous=True)) == last


async def test_logs_that_are_not_there_yet(node: Node) -> None:
    await node.run(make_pod("pod", "unknown"))
    await node.until("pod", waiting_for("ImagePullBackOff"))
    with pytest.raises(ApiError) as caught:
        await logs(node, "pod")
    assert caught.value.code == 400
    assert caught.value.message == (
        'container "app" in pod "pod" is waiting to start: trying and failing to pull image'
    )
    with pytest.raises(
        ApiError, match='previous terminated container "app" in pod "pod" not found'
    ):
        await logs(node, "pod", previous=True)
    with pytest.raises(ApiError, match="container other is not valid for pod pod"):
        [chunk async for chunk in node.kubelet.logs("default", "pod", "other", LogOptions())]


async def test_exec_has_the_container_s_directory_environment_and_exit_code(pod: Node) -> None:
    root = pod.container("pod").root
    assert await run(pod, "sh", "-c", "pwd; echo $MESHCOURSE_ROOT; echo oops >&2; exit 4") == (
        4,
        f"{root}\n{root}\n",
        "oops\n",
    )


async def test_exec_means_the_container_s_own_files_where_there_are_such(pod: Node) -> None:
    (pod.container("pod").root / "etc").mkdir()
    (pod.container("pod").root / "etc/settings").write_text("mine")
    assert await run(pod, "cat", "/etc/settings") == (0, "mine", "")
    assert (await run(pod, "cat", "/proc/self/comm"))[1] == "cat\n"


async def test_what_kubectl_cp_runs_stays_inside_the_container(pod: Node) -> None:
    root = pod.container("pod").root
    assert (await run(pod, "test", "-d", "/tmp"))[0] == 0
    assert (await run(pod, "test", "-d", "/usr"))[0] == 1
    (root / "tmp/made").write_text("here")
    session = await pod.kubelet.exec(
        "default", "pod", "app", ["tar", "cf", "-", "/tmp/made"], stdin=False, tty=False
    )
    archive = await session.stdout.read()
    await session.kill()
    with tarfile.open(fileobj=io.BytesIO(archive)) as unpacked:
        assert unpacked.getnames() == [
            "tmp/made"
        ]  # as from a real container: kubectl checks the prefix
    (root / "copy").mkdir()
    session = await pod.kubelet.exec(
        "default", "pod", "app", ["tar", "-xmf", "-", "-C", "/copy"], stdin=True, tty=False
    )
    await session.write(archive)
    await session.close_stdin()
    assert await session.wait() == 0
    await session.kill()
    assert (root / "copy/tmp/made").read_text() == "here"


async def test_exec_with_input_larger_than_a_pipe(pod: Node) -> None:
    data = b"0123456789" * 50_000
    code, out, _ = await run(pod, "cat", stdin=data)
    assert (code, out) == (0, data.decode())


async def test_exec_on_a_terminal(pod: Node) -> None:
    session = await pod.kubelet.exec("default", "pod", "app", ["sh"], stdin=True, tty=True)
    assert session.stderr is None
    session.resize(101, 31)
    await session.write(b"stty size; tty; exit 3\n")
    text = (await session.stdout.read()).decode()
    assert await session.wait() == 3
    await session.kill()
    assert "31 101" in text
    assert "/dev/pts/" in text


async def test_exec_of_what_is_not_there(pod: Node) -> None:
    with pytest.raises(ApiError, match='exec: "nosuch": executable file not found in'):
        await run(pod, "nosuch")


async def test_a_session_that_is_killed_leaves_nothing(pod: Node) -> None:
    session = await pod.kubelet.exec(
        "default", "pod", "app", ["sleep", "60"], stdin=True, tty=False
    )
    process = session._process  # type: ignore[attr-defined]
    await session.kill()
    assert not process.running
    assert await session.stdout.read() == b""


async def test_attach_joins_the_container_s_own_streams(node: Node) -> None:
    catalogue.add(node.directory / "images.json", "echo", ["cat"])
    await node.run(make_pod("pod", "echo", container={"stdin": True, "stdinOnce": True}))
    await node.until_ready("pod")
    session = await node.kubelet.attach("default", "pod", "app", stdin=True, tty=False)
    await session.write(b"hello\n")
    assert await session.stdout.readline() == b"hello\n"
    await session.close_stdin()
    assert await session.stdout.read() == b""
    assert await session.wait() == 0
    await session.kill()


async def test_port_forward_reaches_the_application(pod: Node) -> None:
    reader, writer = await pod.kubelet.dial("default", "pod", 8080)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert b"200 OK" in await reader.readline()
    writer.close()
    await writer.wait_closed()
    with pytest.raises(ApiError, match="error forwarding port 9999 to pod pod"):
        await pod.kubelet.dial("default", "pod", 9999)
    with pytest.raises(ApiError, match='pods "none" not found'):
        await pod.kubelet.dial("default", "none", 1)


async def test_resource_use(pod: Node) -> None:
    assert pod.kubelet.pod_usage("default", "none") == {}
    meter = pod.kubelet._meters._meters[pod.container("pod").process.pid]
    oldest = meter._samples[0]
    meter._samples[0] = oldest._replace(at=oldest.at - 10)  # as if it had run for ten seconds
    usage = pod.kubelet.pod_usage("default", "pod")["app"]
    assert 0 <= usage.cpu < 1
    assert 1 << 20 < usage.memory < 1 << 28
    assert 10 <= usage.window < 40
    assert pod.kubelet.node_usage().memory > 1 << 24
