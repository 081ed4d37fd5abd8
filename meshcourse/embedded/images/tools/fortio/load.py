"""``fortio load``: calls from several connections, at a rate or as fast as answers come."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass, field

from meshcourse.embedded.images import common
from meshcourse.embedded.images.tools.fortio import results
from meshcourse.embedded.images.tools.fortio.connection import Connection, Reply, ok
from meshcourse.embedded.images.tools.fortio.options import Options

VERSION = "meshcourse"


@dataclass
class Tally:
    """What one run saw; times in seconds, sizes in bytes."""

    durations: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    heads: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)

    def add(self, took: float, reply: Reply) -> None:
        """Count one call."""
        self.durations.append(took)
        self.codes[reply.code] += 1
        self.heads.append(reply.head_size)
        self.sizes.append(reply.size)
        if not ok(reply.code):
            self.failed.append(took)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many calls each connection makes (None: until the time is over), and how far apart (seconds)."""

    shares: list[int | None]
    gap: float


def plan(options: Options) -> Plan:
    """Divide the calls among the connections; each gets at least two calls, as fortio has it."""
    total = options.calls or int(options.qps * options.duration)
    if options.qps <= 0 and not options.calls:
        return Plan([None] * options.connections, 0.0)
    if options.qps > 0 and not options.calls and not options.duration:
        return Plan([None] * options.connections, options.connections / options.qps)
    width = options.connections
    if options.qps > 0:
        total = max(total, 2)
        width = max(min(width, total // 2), 1)
    each, rest = divmod(total, width)
    if not options.calls:
        rest = 0
    shares: list[int | None] = [each + (rest if index == 0 else 0) for index in range(width)]
    return Plan(shares, width / options.qps if options.qps > 0 else 0.0)


async def _work(
    connection: Connection,
    share: int | None,
    gap: float,
    end: float,
    options: Options,
    tally: Tally,
) -> None:
    start, done = time.monotonic(), 0
    while share is None or done < share:
        await asyncio.sleep(max(start + done * gap - time.monotonic(), 0))
        if time.monotonic() >= end:
            return
        began = time.monotonic()
        reply = await connection.call()
        tally.add(time.monotonic() - began, reply)
        done += 1
        if not ok(reply.code) and options.warns:
            stamp = time.strftime("%H:%M:%S")
            common.complain(f"{stamp} W Non ok http code, code={reply.code}")


def _starting(options: Options, made: Plan) -> str:
    rate = f"{options.qps:g} qps" if options.qps > 0 else "max qps"
    width, shares = len(made.shares), [share or 0 for share in made.shares]
    text = f"Starting at {rate} with {width} thread(s) [gomax {os.cpu_count()}] "
    if options.calls:
        each, rest = divmod(options.calls, width)
        return f"{text}for exactly {options.calls} calls ({each} per thread + {rest})"
    if options.qps > 0 and options.duration:
        return f"{text}for {options.duration:g}s : {shares[0]} calls each (total {sum(shares)})"
    return text + (f"for {options.duration:g}s" if options.duration else "until interrupted")


def report(
    options: Options, tally: Tally, connections: list[Connection], elapsed: float, warmup: int
) -> list[str]:
    """The result lines."""
    count = len(tally.durations)
    lines = [f"Ended after {elapsed:.9g}s : {count} calls. qps={count / elapsed:.5g}"]
    lines += results.histogram("Aggregated Function Time", tally.durations, options.percentiles)
    lines += results.histogram("Error cases", tally.failed, options.percentiles)
    sockets = sum(connection.sockets for connection in connections)
    lines.append(f"Sockets used: {sockets} (for perfect keepalive, would be {len(connections)})")
    peers: Counter[str] = sum((connection.peers for connection in connections), Counter())
    lines += [
        "IP addresses distribution:",
        *(f"{peer}: {used}" for peer, used in peers.most_common()),
    ]
    lines += results.codes(tally.codes)
    lines.append(results.counter("Response Header Sizes", tally.heads))
    lines.append(results.counter("Response Body/Total Sizes", tally.sizes))
    mean = 1000 * sum(tally.durations) / count if count else 0.0
    return [
        *lines,
        f"All done {count} calls (plus {warmup} warmup) {mean:.3f} ms avg, {count / elapsed:.1f} qps",
    ]


async def run(options: Options) -> int:
    """Run and print; the exit code."""
    for line in _heading(options):
        common.say(line)
    made = plan(options)
    connections = [Connection(options) for _ in made.shares]
    warmup = 0 if options.calls else len(connections)
    try:
        if warmup and not await _warm(connections, options):
            return 1
        common.say(_starting(options, made))
        tally, began = Tally(), time.monotonic()
        end = began + options.duration if options.duration and not options.calls else float("inf")
        work = (
            _work(connection, share, made.gap, end, options, tally)
            for connection, share in zip(connections, made.shares, strict=True)
        )
        await asyncio.gather(*work)
        elapsed = time.monotonic() - began
    finally:
        for connection in connections:
            connection.close()
    for line in report(options, tally, connections, elapsed, warmup):
        common.say(line)
    return 0


def _heading(options: Options) -> list[str]:
    cores = os.cpu_count()
    rate = f"{max(options.qps, 0):g} queries per second"
    length = f"{options.calls} calls" if options.calls else f"{options.duration:g}s"
    return [
        f"Fortio {VERSION} running at {rate}, {cores}->{cores} procs, for {length}: {options.url}"
    ]


async def _warm(connections: list[Connection], options: Options) -> bool:
    replies = await asyncio.gather(*(connection.call() for connection in connections))
    bad = next((reply for reply in replies if not ok(reply.code)), None)
    if bad is None or options.allow_initial_errors:
        return True
    common.say(f"Aborting because of error {bad.code} for {options.url} ({bad.size} bytes)")
    return False
