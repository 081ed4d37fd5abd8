"""Quantities as far as a kubelet needs them: reading, and exposing through ``resourceFieldRef``.

Source: Kubernetes API reference, Quantity; downward API (divisor, rounding up).
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}


def parse(text: str | int | float) -> Decimal:
    """The value in base units (cores, bytes).

    :raises ValueError: if it is no quantity.
    """
    text = str(text)
    number = text.rstrip("numkMGTPEi")
    suffix = text[len(number) :]
    if suffix == "E" and not number:
        raise ValueError(f"not a quantity: {text}")
    try:
        return Decimal(number) * _SUFFIXES[suffix]
    except (InvalidOperation, KeyError) as error:
        raise ValueError(f"not a quantity: {text}") from error


def divided(value: Decimal, divisor: str) -> str:
    """`value` in units of `divisor` ("0" or "" means 1), rounded up as the downward API does."""
    unit = parse(divisor or "1")
    return str(math.ceil(value / (unit or 1)))
