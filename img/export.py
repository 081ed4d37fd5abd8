"""Exports each SVG in this folder as a PNG beside it, at twice its size: ``python img/export.py [NAME…]``.

Needs Chromium (or Chrome) on PATH, or its path in CHROMIUM.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCALE = 2


def browser() -> str:
    """The browser to draw with."""
    candidates = [os.environ.get("CHROMIUM", ""), *BROWSERS]
    found = next((path for name in candidates if name and (path := shutil.which(name))), None)
    if found is None:
        sys.exit("no Chromium on PATH; install it or set CHROMIUM to it")
    return found


def size(svg: Path) -> tuple[int, int]:
    """Width and height of a drawing, from its view box."""
    match = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg.read_text(encoding="utf-8"))
    if match is None:
        sys.exit(f'{svg.name}: no viewBox="0 0 W H"')
    return int(match[1]), int(match[2])


def export(svg: Path) -> Path:
    """Draw one file; the PNG's path."""
    width, height = size(svg)
    png = svg.with_suffix(".png")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser(),
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                "--default-background-color=00000000",
                f"--force-device-scale-factor={SCALE}",
                f"--window-size={width},{height}",
                f"--user-data-dir={profile}",
                f"--screenshot={png}",
                svg.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
    return png


def main() -> None:
    """Export the drawings named, or all."""
    names = set(sys.argv[1:])
    drawings = [svg for svg in sorted(HERE.glob("*.svg")) if not names or svg.stem in names]
    if not drawings:
        sys.exit("no such drawing")
    for svg in drawings:
        print(export(svg).relative_to(HERE.parent))


if __name__ == "__main__":
    main()
