"""paymentservice: takes Visa and MasterCard, checks the number and the date, and charges nobody."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import grpc

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, rpc

PORT = 50051


class Refused(Exception):
    """Why a card is not accepted."""


def luhn(number: str) -> bool:
    """Whether a card's number has the right check digit."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return len(digits) >= 12 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def kind(number: str) -> str:
    """Who issued a card, by how its number begins."""
    if number.startswith("4"):
        return "visa"
    if 51 <= int(number[:2]) <= 55 or 2221 <= int(number[:4]) <= 2720:
        return "mastercard"
    return "amex" if number[:2] in ("34", "37") else "other"


def check(number: str, year: int, month: int, today: datetime) -> str:
    """The kind of an acceptable card.

    :raises Refused: if it is not.
    """
    plain = number.replace("-", "").replace(" ", "")
    if not plain.isdigit() or not luhn(plain):
        raise Refused("Credit card info is invalid")
    if kind(plain) not in ("visa", "mastercard"):
        raise Refused(
            f"Sorry, we cannot process {kind(plain)} credit cards. Only VISA or MasterCard is accepted."
        )
    if today.year * 12 + today.month > year * 12 + month:
        raise Refused(f"Your credit card (ending {plain[-4:]}) expired on {month}/{year}")
    return kind(plain)


async def _charge(request: Any, forward: rpc.Metadata) -> Any:
    card = request.credit_card
    year, month = card.credit_card_expiration_year, card.credit_card_expiration_month
    try:
        accepted = check(card.credit_card_number, year, month, datetime.now(UTC))
    except Refused as error:
        # Upstream answers with code 400, which is HTTP's word and no gRPC code.
        raise rpc.Failed(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
    common.say(f"charged a {accepted} ending {card.credit_card_number[-4:]}")
    return messages.make("ChargeResponse", transaction_id=str(uuid.uuid4()))


METHODS: dict[str, rpc.Method] = {"Charge": _charge}


def main(argv: list[str]) -> int:
    """Image microservices-demo/paymentservice."""
    return common.run(lambda: rpc.serve("PaymentService", METHODS, rpc.port_of(PORT)))
