"""The course's pictures: a source and an export each, self-contained."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

IMG = Path(__file__).resolve().parents[3] / "img"
DRAWINGS = sorted(IMG.glob("*.svg"))

each = pytest.mark.parametrize("svg", DRAWINGS, ids=lambda path: path.stem)


def test_the_drawings_are_there() -> None:
    assert {svg.stem for svg in DRAWINGS} >= {"planes", "bookinfo", "request-path", "hero"}


@each
def test_export_is_twice_the_drawing(svg: Path) -> None:
    found = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg.read_text())
    assert found
    header = svg.with_suffix(".png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (2 * int(found[1]), 2 * int(found[2]))


@each
def test_drawing_is_self_contained_and_named(svg: Path) -> None:
    root = ET.parse(svg).getroot()
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert {"title", "desc"} <= names
    assert not names & {"image", "script", "foreignObject"}
    links = [
        value
        for element in root.iter()
        for key, value in element.attrib.items()
        if key.endswith("href")
    ]
    assert [link for link in links if not link.startswith("#")] == []
