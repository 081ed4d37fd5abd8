"""Sums of money: whole units and billionths (`nanos`), as google.type.Money has them. Pure."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.images.boutique import messages

NANOS = 1_000_000_000
SIGNS = {"USD": "$", "CAD": "$", "JPY": "¥", "EUR": "€", "TRY": "₺", "GBP": "£"}


def make(currency: str, nanos: int) -> Any:
    """A Money from a total in nanos; units and nanos carry the same sign."""
    sign = -1 if nanos < 0 else 1
    units, rest = divmod(abs(nanos), NANOS)
    return messages.make("Money", currency_code=currency, units=sign * units, nanos=sign * rest)


def total(amount: Any) -> int:
    """An amount in nanos."""
    return int(amount.units) * NANOS + int(amount.nanos)


def add(first: Any, second: Any) -> Any:
    """The sum of two amounts.

    :raises ValueError: if their currencies differ.
    """
    if first.currency_code != second.currency_code:
        raise ValueError("mismatching currency codes")
    return make(first.currency_code, total(first) + total(second))


def times(amount: Any, count: int) -> Any:
    """An amount `count` times; 0 counts as 1, as upstream's loop has it."""
    return make(amount.currency_code, total(amount) * max(count, 1))


def text(amount: Any) -> str:
    """``$19.99``."""
    return f"{SIGNS.get(amount.currency_code, '$')}{amount.units}.{amount.nanos // 10_000_000:02d}"
