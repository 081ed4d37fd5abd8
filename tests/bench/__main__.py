"""``python -m tests.bench [--out build/bench.json] [SCENE…]``."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshcourse import versions
from tests.bench import scenes


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    parser.add_argument("scenes", nargs="*", help=f"of {', '.join(scenes.ALL)} (default: all)")
    options = parser.parse_args(list(arguments))
    chosen = options.scenes or list(scenes.ALL)
    with tempfile.TemporaryDirectory(prefix="meshcourse-bench-") as state:
        os.environ["XDG_STATE_HOME"] = state
        found = {"machine": machine(), **{name: run(name) for name in chosen}}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {options.out}")
    return 0


def run(name: str) -> Any:
    """One scene: its figures, printed as they are known."""
    print(f"\n── {name}: {scenes.ALL[name].__doc__}", flush=True)
    began = time.monotonic()
    found = scenes.ALL[name]()
    for key, value in found.items():
        print(f"  {key:<38} {shown(value)}", flush=True)
    print(f"  ({time.monotonic() - began:.0f} s)")
    return found


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item:g}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def machine() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "load before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "istio taught": versions.ISTIO,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
