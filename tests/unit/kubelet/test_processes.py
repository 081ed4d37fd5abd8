"""The fork server and its client, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from meshcourse.embedded.kubelet.processes import wire
from meshcourse.embedded.kubelet.processes.capture import capture
from meshcourse.embedded.kubelet.processes.client import Exit, Forker, Process, Spec, StartError

HERE = "tests.unit.kubelet.workloads"
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def forker(tmp_path: Path) -> AsyncIterator[Forker]:
    made = Forker("forkertest", [], tmp_path / "forkserver.log")
    made.start()
    yield made
    await made.close()


def spec(*argv: str, entry: str = "", **env: str) -> Spec:
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    title = "meshcourse forkertest: default/web/app image"
    return Spec(argv, {**base, **env}, ROOT, title, "mc-app", f"{HERE}:{entry}" if entry else "")


async def run(forker: Forker, what: Spec) -> tuple[int, str]:
    return await capture(forker, what, 10, 10_000)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool], limit: float = 5.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.005)


async def test_a_command_runs_with_its_environment_and_directory(forker: Forker) -> None:
    code, output = await run(forker, spec("sh", "-c", "echo $COLOUR; pwd; exit 3", COLOUR="blue"))
    assert (code, output) == (3, f"blue\n{ROOT}\n")


async def test_a_python_function_gets_its_arguments_and_gives_its_exit_code(forker: Forker) -> None:
    code, output = await run(forker, spec("image", "a", "b", entry="show", COLOUR="red"))
    assert code == 5
    assert output.splitlines()[:2] == ["['image', 'a', 'b']", "red"]


@pytest.mark.parametrize(
    ("entry", "code", "output"),
    [("leave", 7, ""), ("leave_with_words", 1, "so long"), ("fail", 1, "ValueError: wrong")],
)
async def test_every_way_to_end(forker: Forker, entry: str, code: int, output: str) -> None:
    found, text = await run(forker, spec("image", entry=entry))
    assert found == code
    assert output in text


async def test_what_cannot_be_started_is_told_in_a_runtime_s_words(forker: Forker) -> None:
    with pytest.raises(StartError, match='exec: "nosuch": executable file not found in'):
        await run(forker, spec("nosuch"))
    with pytest.raises(StartError, match='exec: "/no/such": stat /no/such: no such file'):
        await run(forker, spec("/no/such"))
    with pytest.raises(StartError, match="cannot import nosuchmodule"):
        await run(forker, Spec(("x",), {}, ROOT, "t", entry="nosuchmodule:main"))
    assert (await run(forker, spec("true")))[0] == 0


async def started(forker: Forker, what: Spec) -> Process:
    with open(os.devnull, "wb") as nothing:  # noqa: ASYNC230
        return await forker.spawn(what, None, nothing.fileno(), nothing.fileno())


async def test_the_title_names_the_cluster_and_fits_exactly(forker: Forker) -> None:
    process = await started(forker, spec("image", entry="wait"))
    command = Path(f"/proc/{process.pid}/cmdline")
    await until(lambda: command.read_bytes().startswith(b"meshcourse forkertest: default/web/app"))
    assert command.read_bytes().rstrip(b"\0") == b"meshcourse forkertest: default/web/app image"
    assert Path(f"/proc/{process.pid}/comm").read_text() == "mc-app\n"
    assert forker.server_pid is not None
    server = Path(f"/proc/{forker.server_pid}/cmdline").read_bytes()
    assert server.rstrip(b"\0") == b"meshcourse forkserver forkertest"


async def test_signals_and_exit_codes(forker: Forker) -> None:
    first, second = [await started(forker, spec("sleep", "60")) for _ in range(2)]
    first.signal(signal.SIGTERM)
    assert await first.wait() == Exit(143, signal.SIGTERM)
    second.kill()
    assert await second.wait() == Exit(137, signal.SIGKILL)
    second.signal(signal.SIGTERM)  # nobody is there any more
    assert not second.running


async def test_the_rest_of_a_container_goes_with_its_first_process(
    forker: Forker, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    process = await started(forker, spec("sh", "-c", f"sleep 60 & echo $! > {file}; exit 0"))
    assert (await process.wait()).code == 0
    await until(lambda: not alive(int(file.read_text())))


async def test_a_dead_server_takes_its_children_along_and_is_replaced(
    forker: Forker, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    process = await started(forker, spec("sh", "-c", f"sleep 60 & echo $! > {file}; wait"))
    await until(lambda: file.exists() and file.read_text() != "")
    assert forker.server_pid is not None
    os.kill(forker.server_pid, signal.SIGKILL)
    assert await process.wait() == Exit(137, signal.SIGKILL)
    await until(lambda: not alive(process.pid) and not alive(int(file.read_text())))
    assert (await run(forker, spec("true")))[0] == 0


async def test_closing_ends_everything(forker: Forker) -> None:
    process = await started(forker, spec("sleep", "60"))
    server = forker.server_pid
    await forker.close()
    assert server is not None
    assert not alive(server)
    await until(lambda: not alive(process.pid))


async def test_children_have_only_their_own_descriptors(forker: Forker) -> None:
    other = await started(forker, spec("sleep", "60"))
    code, output = await run(forker, spec("image", entry="descriptors"))
    assert (code, output) == (0, "[0, 1, 2]\n")
    other.kill()


async def test_many_at_once(forker: Forker) -> None:
    what = spec("image", entry="hello")
    results = await asyncio.gather(*(run(forker, what) for _ in range(20)))
    assert results == [(0, "hello\n")] * 20


async def test_a_command_that_takes_too_long_is_killed(forker: Forker) -> None:
    with pytest.raises(TimeoutError):
        await capture(forker, spec("sleep", "60"), 0.05, 100)


async def test_a_spawn_that_nobody_waits_for_leaves_no_process(forker: Forker) -> None:
    assert (await run(forker, spec("true")))[0] == 0
    task = asyncio.create_task(started(forker, spec("sleep", "60")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await run(forker, spec("true")))[0] == 0  # answered after the other one
    await until(lambda: not _children(forker))


def _children(forker: Forker) -> str:
    pid = forker.server_pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def test_messages_are_cut_out_of_any_stream_of_bytes_with_their_descriptors() -> None:
    first, second = {"op": "a", "fds": 1}, {"op": "b" * 300, "fds": 2}
    stream = wire.encode(first) + wire.encode(second) + wire.encode({"op": "c"})
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
    decoder = wire.Decoder()
    found = decoder.feed(stream[:3], fds[:1]) + decoder.feed(stream[3:50], fds[1:3])
    for index in range(50, len(stream)):
        found += decoder.feed(stream[index : index + 1], fds[3:] if index == 60 else [])
    assert found == [(first, fds[:1]), (second, fds[1:3]), ({"op": "c"}, [])]
    decoder.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fds[3])
    for fd in fds[:3]:
        os.close(fd)
