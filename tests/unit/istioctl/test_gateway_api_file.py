"""The file that the course applies is the one that the definitions give."""

from __future__ import annotations

from pathlib import Path

from meshcourse.embedded.istioctl.crds import __main__ as writer

FILE = Path(__file__).parents[3] / "labs" / "addons" / "gateway-api.yaml"


def test_file_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == writer.text()
    assert "&id" not in writer.text()
