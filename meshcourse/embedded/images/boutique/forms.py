"""What frontend accepts in its forms. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from meshcourse.embedded.images.boutique import payment

Form = Mapping[str, str]
#: Longest text of an address's parts.
LENGTHS = {"street_address": 512, "city": 128, "state": 128, "country": 128}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Invalid(Exception):
    """What is wrong with a form, a line per field."""


def _problem(field: str, rule: str) -> str:
    return f"Field '{field}' is invalid: {rule}"


def _number(form: Form, name: str) -> int:
    """A whole number; 0, which no field may be, if it is none."""
    text = form.get(name, "").strip()
    return int(text) if text.isdigit() else 0


def item(form: Form) -> tuple[str, int]:
    """Product and quantity to add: 1 to 10.

    :raises Invalid: otherwise.
    """
    product, quantity = form.get("product_id", ""), _number(form, "quantity")
    problems = []
    if not quantity:
        problems.append(_problem("Quantity", "required"))
    elif quantity > 10:
        problems.append(_problem("Quantity", "lte"))
    if not product:
        problems.append(_problem("ProductID", "required"))
    _raise(problems)
    return product, quantity


def currency(form: Form) -> str:
    """A currency's code.

    :raises Invalid: if it cannot be one.
    """
    code = form.get("currency_code", "")
    _raise(
        []
        if _CURRENCY.fullmatch(code)
        else [_problem("Currency", "iso4217" if code else "required")]
    )
    return code


def order(form: Form) -> dict[str, Any]:
    """The fields of a PlaceOrderRequest that a visitor fills in.

    :raises Invalid: if something is missing or cannot be.
    """
    _raise(_order_problems(form))
    address = {name: form[name] for name in LENGTHS} | {"zip_code": _number(form, "zip_code")}
    card = {
        "credit_card_number": form["credit_card_number"],
        "credit_card_cvv": _number(form, "credit_card_cvv"),
        "credit_card_expiration_year": _number(form, "credit_card_expiration_year"),
        "credit_card_expiration_month": _number(form, "credit_card_expiration_month"),
    }
    return {"email": form["email"], "address": address, "credit_card": card}


def _order_problems(form: Form) -> list[str]:
    problems = []
    if not _EMAIL.fullmatch(form.get("email", "")):
        problems.append(_problem("Email", "email" if form.get("email") else "required"))
    for name, most in LENGTHS.items():
        text = form.get(name, "")
        if not text or len(text) > most:
            problems.append(_problem(name.title().replace("_", ""), "max" if text else "required"))
    number = re.sub(r"[ -]", "", form.get("credit_card_number", ""))
    if not (number.isdigit() and payment.luhn(number)):
        problems.append(_problem("CcNumber", "credit_card" if number else "required"))
    numbers = {
        "ZipCode": "zip_code",
        "CcYear": "credit_card_expiration_year",
        "CcCVV": "credit_card_cvv",
    }
    problems += [
        _problem(field, "required") for field, name in numbers.items() if not _number(form, name)
    ]
    if not 1 <= _number(form, "credit_card_expiration_month") <= 12:
        problems.append(_problem("CcMonth", "lte"))
    return problems


def _raise(problems: list[str]) -> None:
    if problems:
        raise Invalid("\n".join(problems))
