"""adservice: up to two advertisements, chosen by category or by chance."""

from __future__ import annotations

import random
from typing import Any

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, rpc

PORT = 9555
#: Advertisements for a request that names no category.
MOST = 2
#: Category → (product, words).
ADS = {
    "clothing": [
        ("66VCHSJNUP", "Tank tops, a fifth off: summer comes whether you are ready or not.")
    ],
    "accessories": [("1YMWWN1N4O", "A watch for those who measure: second strap free.")],
    "footwear": [("L9ECAV7KIM", "Loafers, two pairs for the price of one.")],
    "hair": [("2ZYFJ3GM2N", "Hairdryers at half price. Hot air included.")],
    "decor": [("0PUK6V6EV0", "Candle holders, thirty per cent off. Candle not included.")],
    "kitchen": [
        ("9SIQT8TOJO", "Bamboo glass jars, ten per cent off and airtight."),
        ("6E92ZMYYFZ", "Mugs: the third one is free. Coffee is a separate service."),
    ],
}


def choose(categories: list[str]) -> list[tuple[str, str]]:
    """The advertisements of the categories; by chance if there are none."""
    found = [ad for category in categories for ad in ADS.get(category, [])]
    return found or random.choices([ad for ads in ADS.values() for ad in ads], k=MOST)


async def _ads(request: Any, forward: rpc.Metadata) -> Any:
    chosen = choose(list(request.context_keys))
    return messages.make(
        "AdResponse", ads=[{"redirect_url": f"/product/{id}", "text": text} for id, text in chosen]
    )


METHODS: dict[str, rpc.Method] = {"GetAds": _ads}


def main(argv: list[str]) -> int:
    """Image microservices-demo/adservice."""
    return common.run(lambda: rpc.serve("AdService", METHODS, rpc.port_of(PORT)))
