"""An interrupt of a real kernel ends what live views do in the background, whether a cell runs or not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

PREPARE = """
import threading
from meshcourse.observe.steady import Steady
from meshcourse.observe.traffic import Plan
from meshcourse.widgets.live.traffic import TrafficPanel
from meshcourse.widgets.live.watching import Watching
panel = TrafficPanel(Steady(Plan(url="http://127.0.0.1:9/", n=1, rate=20)))
watching = Watching(lambda: "seen", every=0.05)
"""
START = "panel.start(); watching.shown()"
BUSY = "panel.running or watching.running"


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager()
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def value(client: BlockingKernelClient, expression: str) -> str:
    reply = client.execute_interactive(
        "", user_expressions={"found": expression}, timeout=60, output_hook=lambda _message: None
    )
    found = reply["content"]["user_expressions"]["found"]
    assert found["status"] == "ok", found
    return str(found["data"]["text/plain"])


def until(client: BlockingKernelClient, expression: str, wanted: str) -> None:
    deadline = time.monotonic() + 30
    while value(client, expression) != wanted:
        assert time.monotonic() < deadline, f"{expression} is not {wanted}"
        time.sleep(0.05)


@pytest.mark.timeout(180)
def test_an_interrupt_ends_all_work(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    manager, client = kernel
    client.execute_interactive(PREPARE, timeout=60)
    for cell in ("", "import time; print('begun', flush=True); time.sleep(60)"):
        client.execute_interactive(START, timeout=60)
        assert value(client, "panel.running and watching.running") == "True"
        running = client.execute(cell) if cell else ""
        if running:  # begun, as it says itself: an interrupt before that would find nothing to end
            while client.get_iopub_msg(timeout=60)["content"].get("text") != "begun\n":
                pass
        manager.interrupt_kernel()
        if running:
            assert client.get_shell_msg(timeout=60)["content"]["status"] == "error"
        until(client, BUSY, "False")
    until(client, "threading.active_count() < 20", "True")
    client.execute_interactive("panel.close(); watching.close()", timeout=60)
