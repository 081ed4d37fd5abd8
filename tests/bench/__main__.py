"""``python -m tests.bench --out build/bench.json``: measure, print a table, write JSON."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import changes, figures, start


def measure() -> Iterator[figures.Figure]:
    """Everything, in order; the cluster of the last part stays for the next."""
    try:
        yield from start.fresh()
        mesh, _, _ = start.bring_up()
        yield from start.memory()
        yield from changes.propagation(mesh)
        yield from changes.under_load(mesh)
        yield from start.resume(mesh)
    finally:
        start.tear_down()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    found: list[figures.Figure] = []
    with tempfile.TemporaryDirectory(prefix="meshcourse-bench-") as folder:
        os.environ["XDG_STATE_HOME"] = folder  # the learner's own clusters are not touched
        for figure in measure():
            found.append(figure)
            print(figures.table([figure]), flush=True)
    figures.write(found, arguments.out)
    print(f"\n{figures.table(found)}\n\nwritten to {arguments.out}")


if __name__ == "__main__":
    main()
