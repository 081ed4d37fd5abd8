"""productcatalogservice: nine products, and as slow as EXTRA_LATENCY wants it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from typing import Any

import grpc

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, rpc

PORT = 3550
#: id, name, drawing, dollars, cents, categories, words.
_TABLE = (
    ("OLJCESPC7Z", "Sunglasses", "sunglasses", 19, 99, "accessories", "Dark enough for a dashboard on a bright day."),
    ("66VCHSJNUP", "Tank Top", "tank-top", 18, 99, "clothing tops", "Cotton, and stateless: fits any replica."),
    ("1YMWWN1N4O", "Watch", "watch", 109, 99, "accessories", "Steel, with a second hand that never retries."),
    ("L9ECAV7KIM", "Loafers", "loafers", 89, 99, "footwear", "Leather. Balanced between left and right, 50 to 50."),
    ("2ZYFJ3GM2N", "Hairdryer", "hairdryer", 24, 99, "hair beauty", "Two speeds and a circuit breaker of its own."),
    ("0PUK6V6EV0", "Candle Holder", "candle-holder", 18, 99, "decor home", "For an evening without alerts."),
    ("LS4PSXUNUM", "Salt & Pepper Shakers", "salt-and-pepper-shakers", 18, 49, "kitchen", "Better together."),
    ("9SIQT8TOJO", "Bamboo Glass Jar", "bamboo-glass-jar", 5, 49, "kitchen", "Holds 57 oz under a bamboo lid."),
    ("6E92ZMYYFZ", "Mug", "mug", 8, 99, "kitchen", "Plain, white, and 90 per cent of what you need."),
)  # fmt: skip
PRODUCTS = [
    messages.make(
        "Product",
        id=identity,
        name=name,
        description=words,
        picture=f"/static/img/products/{drawing}.svg",
        price_usd={"currency_code": "USD", "units": dollars, "nanos": cents * 10_000_000},
        categories=categories.split(),
    )
    for identity, name, drawing, dollars, cents, categories, words in _TABLE
]
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def latency(text: str) -> float:
    """Seconds in a Go duration such as ``5.5s``, ``300ms``; 0 for "".

    :raises SystemExit: if it is none, as upstream exits.
    """
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    if "".join(count + unit for count, unit in parts) != text:
        raise SystemExit(f"failed to parse EXTRA_LATENCY ({text}) as a duration")
    return sum(float(count) * _UNITS[unit] for count, unit in parts)


def methods(env: Mapping[str, str] = os.environ) -> dict[str, rpc.Method]:
    """The service's methods."""
    extra = latency(env.get("EXTRA_LATENCY", ""))

    async def list_products(request: Any, forward: rpc.Metadata) -> Any:
        await asyncio.sleep(extra)
        return messages.make("ListProductsResponse", products=PRODUCTS)

    async def get_product(request: Any, forward: rpc.Metadata) -> Any:
        await asyncio.sleep(extra)
        for product in PRODUCTS:
            if product.id == request.id:
                return product
        raise rpc.Failed(grpc.StatusCode.NOT_FOUND, f"no product with ID {request.id}")

    async def search_products(request: Any, forward: rpc.Metadata) -> Any:
        await asyncio.sleep(extra)
        wanted = request.query.lower()
        found = [item for item in PRODUCTS if wanted in f"{item.name}\n{item.description}".lower()]
        return messages.make("SearchProductsResponse", results=found)

    return {
        "ListProducts": list_products,
        "GetProduct": get_product,
        "SearchProducts": search_products,
    }


def main(argv: list[str]) -> int:
    """Image microservices-demo/productcatalogservice."""
    return common.run(lambda: rpc.serve("ProductCatalogService", methods(), rpc.port_of(PORT)))
