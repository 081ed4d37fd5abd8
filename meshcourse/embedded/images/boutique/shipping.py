"""shippingservice: 8.99 dollars for anything, nothing for nothing, and a tracking number."""

from __future__ import annotations

import random
import string
from typing import Any

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, rpc

PORT = 50051


def tracking_id(address: str) -> str:
    """``XY-12345-6789012``: two letters, then numbers that begin with the address's length and half of it."""
    letters = "".join(random.choices(string.ascii_uppercase, k=2))

    def digits(count: int) -> str:
        return "".join(random.choices(string.digits, k=count))

    return f"{letters}-{len(address)}{digits(3)}-{len(address) // 2}{digits(7)}"


async def _quote(request: Any, forward: rpc.Metadata) -> Any:
    anything = sum(item.quantity for item in request.items) != 0
    units, nanos = (8, 990_000_000) if anything else (0, 0)
    return messages.make(
        "GetQuoteResponse", cost_usd={"currency_code": "USD", "units": units, "nanos": nanos}
    )


async def _ship(request: Any, forward: rpc.Metadata) -> Any:
    place = f"{request.address.street_address}, {request.address.city}, {request.address.state}"
    return messages.make("ShipOrderResponse", tracking_id=tracking_id(place))


METHODS: dict[str, rpc.Method] = {"GetQuote": _quote, "ShipOrder": _ship}


def main(argv: list[str]) -> int:
    """Image microservices-demo/shippingservice."""
    return common.run(lambda: rpc.serve("ShippingService", METHODS, rpc.port_of(PORT)))
