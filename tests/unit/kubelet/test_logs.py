"""Log files: format, long lines, rotation, followers; and reading them back."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from meshcourse.embedded.apiserver.streams.backend import LogOptions
from meshcourse.embedded.kubelet.logs import reader
from meshcourse.embedded.kubelet.logs.writer import LogFile, rotated


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app" / "0.log"


async def read(path: Path, live: LogFile | None = None, **options: object) -> bytes:
    chunks = [c async for c in reader.read(path, LogOptions(**options), live)]  # type: ignore[arg-type]
    return b"".join(chunks)


def lines(log: LogFile, *texts: str) -> None:
    for text in texts:
        log.append("stdout", text.encode() + b"\n")


async def test_records_are_in_cri_format_and_private(path: Path) -> None:
    log = LogFile(path)
    log.append("stderr", b"hello\nwor")
    log.append("stderr", b"ld\n")
    log.close()
    first, second = path.read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stderr F hello", first)
    assert second.endswith(" stderr F world")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_long_line_is_stored_in_parts_and_read_as_one(path: Path) -> None:
    log = LogFile(path)
    text = b"x" * 40_000
    log.append("stdout", text + b"\nnext\n")
    log.append("stdout", b"y" * 20_000)
    log.append("stdout", b"z\r!\n")
    log.close()
    assert b" stdout P " in path.read_bytes()
    assert await read(path) == text + b"\nnext\n" + b"y" * 20_000 + b"z\r!\n"


async def test_output_is_pumped_from_pipes_until_their_end(path: Path) -> None:
    log = LogFile(path)
    pipes = {stream: os.pipe() for stream in ("stdout", "stderr")}
    for stream, (ours, _) in pipes.items():
        log.pump(ours, stream)
    os.write(pipes["stdout"][1], b"out\nno newline")
    os.write(pipes["stderr"][1], b"err\n")
    for _, theirs in pipes.values():
        os.close(theirs)
    await log.drain(5)
    log.close()
    assert sorted((await read(path)).splitlines()) == [b"err", b"no newline", b"out"]


async def test_draining_gives_up_on_a_pipe_that_somebody_keeps_open(path: Path) -> None:
    log = LogFile(path)
    ours, theirs = os.pipe()
    log.pump(ours, "stdout")
    await log.drain(0.01)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(ours)
    os.close(theirs)
    log.close()


async def test_the_file_is_rotated_and_both_halves_are_read(path: Path) -> None:
    log = LogFile(path, max_bytes=2000)
    lines(log, *(f"line {n}" for n in range(60)))
    log.close()
    assert rotated(path).exists()
    assert path.stat().st_size <= 2000
    found = (await read(path)).decode().splitlines()
    assert found[-1] == "line 59"
    assert found == [f"line {n}" for n in range(60 - len(found), 60)]
    last = (await read(path, tail_lines=40)).decode().splitlines()
    assert last == [f"line {n}" for n in range(20, 60)]


@pytest.mark.parametrize("count", [0, 1, 5, 1000, 5000])
async def test_tail(path: Path, count: int) -> None:
    log = LogFile(path)
    lines(log, *(f"line {n} {'.' * 50}" for n in range(2000)))
    log.close()
    found = (await read(path, tail_lines=count)).decode().splitlines()
    wanted = min(count, 2000)
    assert len(found) == wanted
    assert found == [f"line {n} {'.' * 50}" for n in range(2000 - wanted, 2000)]


async def test_time_stamps_since_and_limit(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("2020-01-01T00:00:00.000000000Z stdout F old\n")
    log = LogFile(path)
    lines(log, "new one", "new two")
    log.close()
    assert await read(path, since_seconds=60) == b"new one\nnew two\n"
    assert (await read(path, timestamps=True)).startswith(b"2020-01-01T00:00:00.000000000Z old\n")
    assert await read(path, limit_bytes=6) == b"old\nne"


async def test_following_misses_nothing_and_ends_with_the_container(path: Path) -> None:
    log = LogFile(path, max_bytes=500)
    lines(log, "one", "two")
    found: list[bytes] = []

    async def follow() -> None:
        async for chunk in reader.read(path, LogOptions(follow=True, tail_lines=1), log):
            found.append(chunk)

    task = asyncio.create_task(follow())
    while not found:
        await asyncio.sleep(0)
    lines(log, *(f"more {n}" for n in range(30)))  # rotates meanwhile
    log.close()
    await asyncio.wait_for(task, 5)
    expected = ["two", *(f"more {n}" for n in range(30))]
    assert b"".join(found).decode().splitlines() == expected


async def test_reading_what_was_never_written_is_empty(path: Path) -> None:
    assert await read(path) == b""
    assert await read(path, tail_lines=3) == b""


async def test_the_end_of_a_log_as_a_message(path: Path) -> None:
    log = LogFile(path)
    lines(log, "a", "b", "c")
    log.close()
    assert reader.tail(path, 2, 100) == "b\nc\n"
    assert reader.tail(path, 3, 3) == "\nc\n"


async def test_listeners_get_raw_output(path: Path) -> None:
    log = LogFile(path)
    found: list[tuple[str, bytes]] = []
    leave = log.listen(lambda stream, data: found.append((stream, data)))
    log.append("stdout", b"par")
    log.append("stderr", b"tial")
    leave()
    log.append("stdout", b"unheard\n")
    log.close()
    assert found == [("stdout", b"par"), ("stderr", b"tial")]
