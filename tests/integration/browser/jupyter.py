"""A JupyterLab of a test's own with one notebook of one cell, for browsers to open."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"


@contextmanager
def serving(folder: Path, cell: str) -> Iterator[str]:
    """JupyterLab on a notebook with `cell`; the URL of the notebook in it."""
    code = {
        "cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None,
        "source": cell.strip(),
    }  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": [code], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "panel.ipynb").write_text(json.dumps(notebook))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    token, home = secrets.token_hex(8), folder / "home"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root"]
    settings = [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    with subprocess.Popen(
        [*command, *settings, "--ip=127.0.0.1"],
        env={**os.environ, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: answering(f"http://127.0.0.1:{port}/api?token={token}"), 60)
            yield f"http://127.0.0.1:{port}/lab/tree/panel.ipynb?token={token}"
        finally:
            process.terminate()
            process.wait(20)


def run_first_cell(page: Any, url: str) -> None:
    """Open the notebook and run its cell, once there is a kernel to run it."""
    page.goto(url)
    page.locator(".jp-CodeCell").first.wait_for(timeout=60_000)
    page.get_by_text("| Idle").first.wait_for(timeout=60_000)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")


def answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(condition: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)
