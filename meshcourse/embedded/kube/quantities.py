"""Quantities: ``500m`` cores, ``128Mi`` bytes.

Source: Kubernetes API reference, "Quantity".
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse(text: str | float) -> Decimal:
    """The value in base units (cores, bytes).

    :raises ValueError: if `text` is not a quantity.
    """
    match = _FORM.match(str(text))
    if match is None or match[2] not in _DECIMAL | _BINARY:
        raise ValueError(f"not a quantity: {text!r}")
    number, suffix = Decimal(match[1]), match[2]
    if suffix in _BINARY:
        return number * Decimal(2) ** _BINARY[suffix]
    return number * Decimal(10) ** _DECIMAL[suffix]


def milli(text: str | float) -> int:
    """The value in thousandths of the base unit, rounded up."""
    return math.ceil(parse(text) * 1000)


def render_milli(value: int) -> str:
    """Thousandths as the shortest decimal quantity: ``250m``, ``2``, ``1500m``."""
    return str(value // 1000) if value % 1000 == 0 else f"{value}m"
