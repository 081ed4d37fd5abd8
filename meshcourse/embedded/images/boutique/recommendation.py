"""recommendationservice: up to five products that are not in the basket, by chance."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import Any

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, rpc

PORT = 8080
MOST = 5


def methods(catalogue: rpc.Backend) -> dict[str, rpc.Method]:
    """The service's methods."""

    async def recommend(request: Any, forward: rpc.Metadata) -> Any:
        listed = await catalogue.call(
            "ProductCatalogService/ListProducts", messages.make("Empty"), forward
        )
        others = [item.id for item in listed.products if item.id not in set(request.product_ids)]
        chosen = random.sample(others, min(MOST, len(others)))
        return messages.make("ListRecommendationsResponse", product_ids=chosen)

    return {"ListRecommendations": recommend}


async def _serve(env: Mapping[str, str] = os.environ) -> None:
    catalogue = rpc.Backend(rpc.address_of("PRODUCT_CATALOG_SERVICE_ADDR", env))
    await rpc.serve("RecommendationService", methods(catalogue), rpc.port_of(PORT), [catalogue])


def main(argv: list[str]) -> int:
    """Image microservices-demo/recommendationservice."""
    return common.run(_serve)
