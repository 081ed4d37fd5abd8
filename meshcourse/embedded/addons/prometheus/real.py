"""A real Prometheus in the pod, told its targets by us.

Distributions build Prometheus without Kubernetes discovery (Debian does), and its client expects the service account
at a fixed path of the file system, which a container here shares with the machine. So the targets go into a file that
Prometheus watches (``file_sd_configs``); labels are those of `targets`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from meshcourse.embedded.addons.prometheus.targets import JOB, Target
from meshcourse.embedded.images import common

_TARGETS = "targets.json"


def configuration(config: str) -> str:
    """The mounted configuration's ``global`` part with one job that reads targets from a file."""
    loaded = yaml.safe_load(config) or {}
    job = {"job_name": JOB, "file_sd_configs": [{"files": [_TARGETS]}]}
    return yaml.safe_dump({"global": loaded.get("global") or {}, "scrape_configs": [job]})


def target_groups(targets: Iterable[Target]) -> str:
    """Targets in the format of file-based discovery."""
    groups = []
    for target in sorted(targets, key=lambda each: each.url):
        url = urlsplit(target.url)
        labels = {**dict(target.labels), "__metrics_path__": url.path}
        groups.append({"targets": [url.netloc], "labels": labels})
    return json.dumps(groups, indent=1)


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


async def run(
    program: str, config: str, address: tuple[str, int], targets: Callable[[], Iterable[Target]]
) -> int:
    """Run Prometheus until it ends or this process is told to stop; its exit code."""
    common.say(f"running the real {program}")
    _write(Path("prometheus.local.yml"), configuration(config))
    _write(Path(_TARGETS), "[]")
    process = await asyncio.create_subprocess_exec(
        program,
        "--config.file=prometheus.local.yml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={address[0]}:{address[1]}",
    )
    following = asyncio.create_task(_follow(targets))
    stopping = asyncio.create_task(common.until_stopped())
    ended = asyncio.create_task(process.wait())
    await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
    following.cancel()
    stopping.cancel()
    if process.returncode is None:
        process.terminate()
    await asyncio.gather(following, stopping, return_exceptions=True)
    return await ended


async def _follow(targets: Callable[[], Iterable[Target]]) -> None:
    """Write the targets whenever they change."""
    written = ""
    while True:
        text = target_groups(targets())
        if text != written:
            _write(Path(_TARGETS), text)
            written = text
        await asyncio.sleep(1)
