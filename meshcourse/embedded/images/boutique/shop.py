"""The calls that frontend makes for a page, in upstream's order: what a trace of the page shows."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc.aio

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, money, rpc

#: What it calls → environment variable with the address.
ADDRESSES = {
    "catalogue": "PRODUCT_CATALOG_SERVICE_ADDR",
    "currency": "CURRENCY_SERVICE_ADDR",
    "cart": "CART_SERVICE_ADDR",
    "recommendation": "RECOMMENDATION_SERVICE_ADDR",
    "shipping": "SHIPPING_SERVICE_ADDR",
    "checkout": "CHECKOUT_SERVICE_ADDR",
    "ad": "AD_SERVICE_ADDR",
}
#: Currencies that are offered, of those that currencyservice knows.
CURRENCIES = ("USD", "EUR", "CAD", "JPY", "GBP", "TRY")
#: Seconds that advertisements get: nobody waits for those.
AD_TIMEOUT = 0.1
#: Recommendations shown, of up to five that are fetched.
SHOWN = 4


class ShopError(Exception):
    """A call failed without which there is no page."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a basket: product, how many, price of all of them."""

    product: Any
    quantity: int
    price: Any


class Shop:
    """The services behind frontend; made inside the event loop, closed at the end."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._backends = {
            name: rpc.Backend(rpc.address_of(variable, env)) for name, variable in ADDRESSES.items()
        }

    async def close(self) -> None:
        """Close every channel."""
        for backend in self._backends.values():
            await backend.close()

    def visit(self, forward: rpc.Metadata, user: str, currency: str) -> Visit:
        """The calls of one request."""
        return Visit(self._backends, forward, user, currency)


class Visit:
    """The calls of one request: trace headers, session and currency are the visitor's."""

    def __init__(
        self, backends: Mapping[str, rpc.Backend], forward: rpc.Metadata, user: str, currency: str
    ) -> None:
        self._backends = backends
        self._forward = forward
        self.user = user
        self.currency = currency

    async def _call(
        self, backend: str, method: str, seconds: float | None = None, **fields: Any
    ) -> Any:
        service, name = method.split("/")
        request = messages.make(messages.SERVICES[service][name][0], **fields)
        return await self._backends[backend].call(method, request, self._forward, seconds)

    async def _need(self, what: str, backend: str, method: str, **fields: Any) -> Any:
        try:
            return await self._call(backend, method, **fields)
        except grpc.aio.AioRpcError as error:
            raise ShopError(f"{what}: {rpc.describe(error)}") from error

    async def currencies(self) -> list[str]:
        """The currencies to choose from."""
        answer = await self._need(
            "could not retrieve currencies", "currency", "CurrencyService/GetSupportedCurrencies"
        )
        return [code for code in answer.currency_codes if code in CURRENCIES]

    async def products(self) -> list[Any]:
        """Every product."""
        what = "could not retrieve products"
        return list(
            (await self._need(what, "catalogue", "ProductCatalogService/ListProducts")).products
        )

    async def product(self, identity: str, what: str = "could not retrieve product") -> Any:
        """One product."""
        return await self._need(what, "catalogue", "ProductCatalogService/GetProduct", id=identity)

    async def cart(self) -> list[Any]:
        """The visitor's basket."""
        answer = await self._need(
            "could not retrieve cart", "cart", "CartService/GetCart", user_id=self.user
        )
        return list(answer.items)

    async def add(self, product: str, quantity: int) -> None:
        """Put something into the basket; it must exist."""
        found = await self.product(product)
        item = {"product_id": found.id, "quantity": quantity}
        await self._need(
            "failed to add to cart", "cart", "CartService/AddItem", user_id=self.user, item=item
        )

    async def empty(self) -> None:
        """Empty the basket."""
        await self._need("failed to empty cart", "cart", "CartService/EmptyCart", user_id=self.user)

    async def local(self, amount: Any, what: str = "failed to convert currency") -> Any:
        """An amount in the visitor's currency; asked for even if it is the same, as upstream does."""
        fields = {"from": amount, "to_code": self.currency}
        return await self._need(what, "currency", "CurrencyService/Convert", **fields)

    async def shipping(self, items: list[Any]) -> Any:
        """What sending these would cost."""
        what = "failed to get shipping quote"
        quote = await self._need(what, "shipping", "ShippingService/GetQuote", items=items)
        return await self.local(quote.cost_usd, what)

    async def recommendations(self, products: list[str]) -> list[Any]:
        """Other products; none if that fails, for a page can do without."""
        try:
            answer = await self._call(
                "recommendation",
                "RecommendationService/ListRecommendations",
                user_id=self.user,
                product_ids=products,
            )
            found = [
                await self._call("catalogue", "ProductCatalogService/GetProduct", id=identity)
                for identity in answer.product_ids
            ]
        except grpc.aio.AioRpcError as error:
            common.say(f"warning: no recommendations: {rpc.describe(error)}")
            return []
        return found[:SHOWN]

    async def ad(self, categories: list[str]) -> Any | None:
        """An advertisement; None if there is none in time."""
        try:
            answer = await self._call("ad", "AdService/GetAds", AD_TIMEOUT, context_keys=categories)
        except grpc.aio.AioRpcError as error:
            common.say(f"warning: no advertisement: {rpc.describe(error)}")
            return None
        return random.choice(answer.ads) if answer.ads else None

    async def lines(self, items: list[Any]) -> list[Line]:
        """The basket's lines with their prices."""
        found = []
        for item in items:
            product = await self.product(
                item.product_id, f"could not retrieve product #{item.product_id}"
            )
            what = f"could not convert currency for product #{item.product_id}"
            price = await self.local(product.price_usd, what)
            found.append(Line(product, item.quantity, money.times(price, item.quantity)))
        return found

    async def order(self, **fields: Any) -> Any:
        """Place an order for what is in the basket."""
        what = "failed to complete the order"
        placed = {"user_id": self.user, "user_currency": self.currency} | fields
        return (await self._need(what, "checkout", "CheckoutService/PlaceOrder", **placed)).order
