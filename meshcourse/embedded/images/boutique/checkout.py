"""checkoutservice: turns a basket into an order, by way of six other services."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, money, rpc

PORT = 5050
#: What it calls: field of `Backends` → environment variable with the address.
ADDRESSES = {
    "shipping": "SHIPPING_SERVICE_ADDR",
    "catalogue": "PRODUCT_CATALOG_SERVICE_ADDR",
    "cart": "CART_SERVICE_ADDR",
    "currency": "CURRENCY_SERVICE_ADDR",
    "email": "EMAIL_SERVICE_ADDR",
    "payment": "PAYMENT_SERVICE_ADDR",
}


@dataclass(frozen=True, slots=True)
class Backends:
    """The services that an order needs."""

    shipping: rpc.Backend
    catalogue: rpc.Backend
    cart: rpc.Backend
    currency: rpc.Backend
    email: rpc.Backend
    payment: rpc.Backend

    @staticmethod
    def from_environment(env: Mapping[str, str] = os.environ) -> Backends:
        """At the addresses in the environment; call it inside the event loop."""
        addresses = {field: rpc.address_of(name, env) for field, name in ADDRESSES.items()}
        return Backends(**{field: rpc.Backend(address) for field, address in addresses.items()})

    def all(self) -> list[rpc.Backend]:
        """Every one of them."""
        return [self.shipping, self.catalogue, self.cart, self.currency, self.email, self.payment]


async def _step(what: str, call: Any, code: grpc.StatusCode = grpc.StatusCode.INTERNAL) -> Any:
    """Await a call; its failure becomes this service's, with what was being done."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise rpc.Failed(code, f"{what}: {rpc.describe(error)}") from error


class Order:
    """One order on its way, with the trace headers of the request that placed it."""

    def __init__(self, backends: Backends, request: Any, forward: rpc.Metadata) -> None:
        self._to = backends
        self._request = request
        self._forward = forward

    async def place(self) -> Any:
        """Basket, prices, shipping, payment, shipment, empty basket, letter; in this order.

        :raises rpc.Failed: if a step that matters fails.
        """
        items = await self._basket()
        priced = [await self._priced(item) for item in items]
        shipping = await self._shipping(items)
        total = shipping
        for entry in priced:
            total = money.add(total, money.times(entry.cost, entry.item.quantity))
        await self._charge(total)
        tracking = await self._ship(items)
        await self._best_effort(
            "CartService/EmptyCart", self._to.cart, user_id=self._request.user_id
        )
        order = messages.make(
            "OrderResult",
            order_id=str(uuid.uuid1()),
            shipping_tracking_id=tracking,
            shipping_cost=shipping,
            shipping_address=self._request.address,
            items=priced,
        )
        await self._best_effort(
            "EmailService/SendOrderConfirmation",
            self._to.email,
            email=self._request.email,
            order=order,
        )
        return messages.make("PlaceOrderResponse", order=order)

    async def _basket(self) -> list[Any]:
        request = messages.make("GetCartRequest", user_id=self._request.user_id)
        call = self._to.cart.call("CartService/GetCart", request, self._forward)
        return list(
            (await _step("cart failure: failed to get user cart during checkout", call)).items
        )

    async def _local(self, amount: Any) -> Any:
        """An amount in the customer's currency."""
        request = messages.make("CurrencyConversionRequest", to_code=self._request.user_currency)
        getattr(request, "from").CopyFrom(amount)
        call = self._to.currency.call("CurrencyService/Convert", request, self._forward)
        return await _step("failed to convert currency", call)

    async def _priced(self, item: Any) -> Any:
        request = messages.make("GetProductRequest", id=item.product_id)
        call = self._to.catalogue.call("ProductCatalogService/GetProduct", request, self._forward)
        product = await _step(
            f'failed to prepare order: failed to get product #"{item.product_id}"', call
        )
        return messages.make("OrderItem", item=item, cost=await self._local(product.price_usd))

    async def _shipping(self, items: list[Any]) -> Any:
        request = messages.make("GetQuoteRequest", address=self._request.address, items=items)
        call = self._to.shipping.call("ShippingService/GetQuote", request, self._forward)
        return await self._local((await _step("shipping quote failure", call)).cost_usd)

    async def _charge(self, amount: Any) -> None:
        request = messages.make(
            "ChargeRequest", amount=amount, credit_card=self._request.credit_card
        )
        call = self._to.payment.call("PaymentService/Charge", request, self._forward)
        paid = await _step("failed to charge card: could not charge the card", call)
        common.say(f"payment went through (transaction_id: {paid.transaction_id})")

    async def _ship(self, items: list[Any]) -> str:
        request = messages.make("ShipOrderRequest", address=self._request.address, items=items)
        call = self._to.shipping.call("ShippingService/ShipOrder", request, self._forward)
        unavailable = grpc.StatusCode.UNAVAILABLE
        return str((await _step("shipping error: shipment failed", call, unavailable)).tracking_id)

    async def _best_effort(self, method: str, backend: rpc.Backend, **fields: Any) -> None:
        """A step without which the order stands all the same."""
        service, name = method.split("/")
        request = messages.make(messages.SERVICES[service][name][0], **fields)
        try:
            await backend.call(method, request, self._forward)
        except grpc.aio.AioRpcError as error:
            common.say(f"warning: {method} failed: {rpc.describe(error)}")


def methods(backends: Backends) -> dict[str, rpc.Method]:
    """The service's methods."""

    async def place_order(request: Any, forward: rpc.Metadata) -> Any:
        return await Order(backends, request, forward).place()

    return {"PlaceOrder": place_order}


async def _serve(env: Mapping[str, str] = os.environ) -> None:
    backends = Backends.from_environment(env)
    await rpc.serve("CheckoutService", methods(backends), rpc.port_of(PORT), backends.all())


def main(argv: list[str]) -> int:
    """Image microservices-demo/checkoutservice."""
    return common.run(_serve)
