from __future__ import annotations

from decimal import Decimal

import pytest

from meshcourse.embedded.kube import quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("2", 2),
        ("250m", Decimal("0.25")),
        ("1500000n", Decimal("0.0015")),
        ("3u", Decimal("0.000003")),
        ("1k", 1000),
        ("128Mi", 128 * 1024**2),
        ("1.5Gi", 1536 * 1024**2),
        ("1e3", 1000),
        ("1E", 10**18),
        (0.5, Decimal("0.5")),
    ],
)
def test_values(text: str | float, value: Decimal | int) -> None:
    assert quantities.parse(text) == value


@pytest.mark.parametrize("text", ["", "abc", "1Q", "m", "1 Mi", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.parse(text)


def test_thousandths() -> None:
    assert quantities.milli("1500000n") == 2  # rounded up
    assert quantities.render_milli(250) == "250m"
    assert quantities.render_milli(2000) == "2"
