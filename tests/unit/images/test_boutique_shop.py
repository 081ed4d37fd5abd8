"""Online Boutique put together in one process: every service on a real gRPC port, pages through the frontend."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest

from meshcourse.embedded.images.boutique import (
    ads,
    cart,
    catalogue,
    checkout,
    currency,
    email,
    frontend,
    messages,
    payment,
    recommendation,
    rpc,
    shipping,
)

ORDER = {
    "email": "someone@example.com",
    "street_address": "1 Mesh Street",
    "zip_code": "12345",
    "city": "Port Envoy",
    "state": "CA",
    "country": "Nowhere",
    "credit_card_number": "4432-8015-6152-0454",
    "credit_card_expiration_month": "1",
    "credit_card_expiration_year": "2039",
    "credit_card_cvv": "672",
}
TRACE = {
    "traceparent": "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01",
    "x-request-id": "r1",
}
SUNGLASSES = "OLJCESPC7Z"


@dataclass
class Shop:
    """Everything that runs, and every call that was made, in order, with its trace headers."""

    env: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    broken: dict[str, rpc.Failed] = field(default_factory=dict)
    servers: dict[str, Any] = field(default_factory=dict)

    def names(self) -> list[str]:
        """The methods called since the last time."""
        names = [name for name, _ in self.calls]
        self.calls.clear()
        return names

    async def start(self, service: str, methods: dict[str, rpc.Method], variable: str) -> None:
        recorded = {
            name: self._recorded(f"{service}/{name}", method) for name, method in methods.items()
        }
        server, port = await rpc.start(service, recorded, "127.0.0.1:0")
        self.servers[service] = server
        self.env[variable] = f"127.0.0.1:{port}"

    def _recorded(self, name: str, method: rpc.Method) -> rpc.Method:
        async def record(request: Any, forward: rpc.Metadata) -> Any:
            self.calls.append((name, dict(forward)))
            if name in self.broken:
                raise self.broken[name]
            return await method(request, forward)

        return record


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    made = Shop()
    await made.start("CurrencyService", currency.METHODS, "CURRENCY_SERVICE_ADDR")
    await made.start("ProductCatalogService", catalogue.methods({}), "PRODUCT_CATALOG_SERVICE_ADDR")
    await made.start("CartService", cart.methods(cart.Memory()), "CART_SERVICE_ADDR")
    await made.start("ShippingService", shipping.METHODS, "SHIPPING_SERVICE_ADDR")
    await made.start("PaymentService", payment.METHODS, "PAYMENT_SERVICE_ADDR")
    await made.start("EmailService", email.METHODS, "EMAIL_SERVICE_ADDR")
    await made.start("AdService", ads.METHODS, "AD_SERVICE_ADDR")
    products = rpc.Backend(made.env["PRODUCT_CATALOG_SERVICE_ADDR"])
    await made.start(
        "RecommendationService", recommendation.methods(products), "RECOMMENDATION_SERVICE_ADDR"
    )
    others = checkout.Backends.from_environment(made.env)
    await made.start("CheckoutService", checkout.methods(others), "CHECKOUT_SERVICE_ADDR")
    yield made
    for backend in (products, *others.all()):
        await backend.close()
    for server in made.servers.values():
        await server.stop(None)


@pytest.fixture
async def visitor(shop: Shop, client: Any) -> Any:
    """A client with cookies at the frontend."""
    return await client(
        frontend.application(shop.env | {"HOSTNAME": "frontend-abc", "BANNER_COLOR": "#7a3e9d"})
    )


async def put(visitor: Any, product: str = SUNGLASSES, quantity: int = 2) -> Any:
    form = {"product_id": product, "quantity": quantity}
    return await visitor.post("/cart", data=form, allow_redirects=False)


class TestPages:
    async def test_home(self, shop: Shop, visitor: Any) -> None:
        response = await visitor.get("/", headers=TRACE)
        html = await response.text()
        assert response.status == 200
        assert shop.names() == [
            "CurrencyService/GetSupportedCurrencies",
            "ProductCatalogService/ListProducts",
            "CartService/GetCart",
            *["CurrencyService/Convert"] * 9,
            "AdService/GetAds",
        ]
        assert html.count('class="card"') == 9
        assert "$109.99" in html
        assert 'style="background:#7a3e9d"' in html
        assert '<code class="pod">frontend-abc</code>' in html
        assert '<option value="USD" selected>' in html
        assert html.count("<option") == 6

    async def test_trace_headers_reach_every_service(self, shop: Shop, visitor: Any) -> None:
        await put(visitor)
        shop.calls.clear()
        await visitor.post("/cart/checkout", data=ORDER, headers=TRACE | {"x-private": "no"})
        assert len({name.partition("/")[0] for name, _ in shop.calls}) == 8
        assert [headers for _, headers in shop.calls if headers != TRACE] == []

    async def test_product(self, shop: Shop, visitor: Any) -> None:
        html = await (await visitor.get(f"/product/{SUNGLASSES}")).text()
        assert shop.names() == [
            "ProductCatalogService/GetProduct",
            "CurrencyService/GetSupportedCurrencies",
            "CartService/GetCart",
            "CurrencyService/Convert",
            "RecommendationService/ListRecommendations",
            "ProductCatalogService/ListProducts",
            *["ProductCatalogService/GetProduct"] * 5,
            "AdService/GetAds",
        ]
        assert "$19.99" in html
        assert html.count('class="card"') == 4
        assert (
            f"/product/{SUNGLASSES}" not in html.split("You may also like")[1].split("Ad</span>")[0]
        )

    async def test_basket(self, shop: Shop, visitor: Any) -> None:
        response = await put(visitor)
        assert (response.status, response.headers["Location"]) == (302, "/cart")
        assert shop.names() == ["ProductCatalogService/GetProduct", "CartService/AddItem"]
        await put(visitor, quantity=1)
        await put(visitor, "6E92ZMYYFZ", 1)
        shop.calls.clear()
        html = await (await visitor.get("/cart")).text()
        assert shop.names() == [
            "CurrencyService/GetSupportedCurrencies",
            "CartService/GetCart",
            "RecommendationService/ListRecommendations",
            "ProductCatalogService/ListProducts",
            *["ProductCatalogService/GetProduct"] * 5,
            "ShippingService/GetQuote",
            "CurrencyService/Convert",
            *["ProductCatalogService/GetProduct", "CurrencyService/Convert"] * 2,
        ]
        assert "Basket <b>4</b>" in html
        assert re.findall(r"\$[0-9.]+", html) == ["$59.97", "$8.99", "$8.99", "$77.95"]
        response = await visitor.post("/cart/empty", allow_redirects=False)
        assert response.headers["Location"] == "/"
        assert "Your basket is empty" in await (await visitor.get("/cart")).text()

    async def test_order(self, shop: Shop, visitor: Any) -> None:
        await put(visitor)
        shop.calls.clear()
        response = await visitor.post("/cart/checkout", data=ORDER)
        html = await response.text()
        assert response.status == 200
        names = shop.names()
        assert names[:11] == [
            "CheckoutService/PlaceOrder",
            "CartService/GetCart",
            "ProductCatalogService/GetProduct",
            "CurrencyService/Convert",
            "ShippingService/GetQuote",
            "CurrencyService/Convert",
            "PaymentService/Charge",
            "ShippingService/ShipOrder",
            "CartService/EmptyCart",
            "EmailService/SendOrderConfirmation",
            "RecommendationService/ListRecommendations",
        ]
        assert names[-1] == "CurrencyService/GetSupportedCurrencies"
        assert "Your order is complete!" in html
        assert "$48.97" in html
        assert "Your basket is empty" in await (await visitor.get("/cart")).text()

    async def test_currency(self, visitor: Any) -> None:
        response = await visitor.post(
            "/setCurrency",
            data={"currency_code": "EUR"},
            headers={"Referer": "http://x/cart"},
            allow_redirects=False,
        )
        assert (response.status, response.headers["Location"]) == (302, "http://x/cart")
        html = await (await visitor.get("/")).text()
        assert "€17.68" in html
        assert '<option value="EUR" selected>' in html

    async def test_session(self, visitor: Any) -> None:
        first = await visitor.get("/")
        identity = first.cookies[frontend.SESSION].value
        assert len(identity) == 36
        assert frontend.SESSION not in (await visitor.get("/")).cookies
        gone = await visitor.get("/logout", allow_redirects=False)
        assert gone.cookies[frontend.SESSION].value == ""
        assert gone.headers["Location"] == "/"

    async def test_small_ones(self, visitor: Any) -> None:
        assert await (await visitor.get("/_healthz")).text() == "ok"
        assert "Disallow: /" in await (await visitor.get("/robots.txt")).text()
        assert (await (await visitor.get(f"/product-meta/{SUNGLASSES}")).json())[
            "name"
        ] == "Sunglasses"
        for path, kind in (("style.css", "text/css"), ("img/products/mug.svg", "image/svg+xml")):
            response = await visitor.get(f"/static/{path}")
            assert (response.status, response.content_type) == (200, kind)
        for path in (
            "/static/nope",
            "/static/../frontend.py",
            "/static/img/products/../../frontend.py",
        ):
            assert (await visitor.get(path)).status == 404


class TestFailures:
    @pytest.mark.parametrize(
        ("broken", "path", "status"),
        [
            ("AdService/GetAds", "/", 200),
            ("RecommendationService/ListRecommendations", f"/product/{SUNGLASSES}", 200),
            ("CurrencyService/Convert", "/", 500),
            ("CartService/GetCart", "/", 500),
            ("ProductCatalogService/GetProduct", f"/product/{SUNGLASSES}", 500),
            ("ShippingService/GetQuote", "/cart", 500),
        ],
    )
    async def test_what_a_page_can_do_without(
        self, shop: Shop, visitor: Any, broken: str, path: str, status: int
    ) -> None:
        shop.broken[broken] = rpc.Failed(grpc.StatusCode.UNAVAILABLE, "gone")
        response = await visitor.get(path)
        assert response.status == status
        if status == 500:
            assert "rpc error: code = Unavailable desc = gone" in await response.text()

    async def test_unknown_product(self, visitor: Any) -> None:
        response = await visitor.get("/product/NOPE")
        text = await response.text()
        assert response.status == 500
        assert (
            "could not retrieve product: rpc error: code = NotFound desc = no product with ID NOPE"
            in text
        )

    async def test_bad_forms(self, visitor: Any) -> None:
        response = await put(visitor, quantity=11)
        assert response.status == 422
        assert "lte" in await response.text()
        response = await visitor.post("/cart/checkout", data=ORDER | {"email": ""})
        assert response.status == 422

    async def test_expired_card(self, visitor: Any) -> None:
        await put(visitor)
        response = await visitor.post(
            "/cart/checkout", data=ORDER | {"credit_card_expiration_year": "2020"}
        )
        text = await response.text()
        assert response.status == 500
        assert "failed to complete the order: rpc error: code = Internal" in text
        assert "expired on 1/2020" in text

    @pytest.mark.parametrize(
        "broken", ["EmailService/SendOrderConfirmation", "CartService/EmptyCart"]
    )
    async def test_an_order_stands_without(self, shop: Shop, visitor: Any, broken: str) -> None:
        await put(visitor)
        shop.broken[broken] = rpc.Failed(grpc.StatusCode.INTERNAL, "no")
        assert (await visitor.post("/cart/checkout", data=ORDER)).status == 200

    async def test_shipping_that_fails_is_unavailable(self, shop: Shop) -> None:
        shop.broken["ShippingService/ShipOrder"] = rpc.Failed(grpc.StatusCode.INTERNAL, "no")
        backend = rpc.Backend(shop.env["CHECKOUT_SERVICE_ADDR"])
        request = messages.make(
            "PlaceOrderRequest",
            user_id="u",
            user_currency="USD",
            credit_card={
                "credit_card_number": ORDER["credit_card_number"],
                "credit_card_expiration_year": 2039,
                "credit_card_expiration_month": 1,
            },
        )
        with pytest.raises(grpc.aio.AioRpcError) as found:
            await backend.call("CheckoutService/PlaceOrder", request, ())
        assert found.value.code() is grpc.StatusCode.UNAVAILABLE
        await backend.close()


class TestRpc:
    async def test_health(self, shop: Shop) -> None:
        async with grpc.aio.insecure_channel(shop.env["AD_SERVICE_ADDR"]) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            assert await check(b"") == b"\x08\x01"

    async def test_a_line_per_call(self, shop: Shop, capsys: Any) -> None:
        backend = rpc.Backend(shop.env["PRODUCT_CATALOG_SERVICE_ADDR"])
        request = messages.make("GetProductRequest", id="NOPE")
        with pytest.raises(grpc.aio.AioRpcError):
            await backend.call(
                "ProductCatalogService/GetProduct", request, (("x-request-id", "r7"),)
            )
        await backend.close()
        out = capsys.readouterr().out
        assert re.search(
            r'^"hipstershop.ProductCatalogService/GetProduct" NOT_FOUND [0-9.]+ms r7$', out, re.M
        )

    async def test_deadline_of_advertisements(self) -> None:
        from meshcourse.embedded.images.boutique import shop as shops

        assert shops.AD_TIMEOUT == 0.1

    async def test_search(self, shop: Shop) -> None:
        backend = rpc.Backend(shop.env["PRODUCT_CATALOG_SERVICE_ADDR"])
        request = messages.make("SearchProductsRequest", query="MUG")
        found = await backend.call("ProductCatalogService/SearchProducts", request, ())
        assert [item.name for item in found.results] == ["Mug"]
        await backend.close()

    async def test_two_servers_do_not_share_a_port(self, shop: Shop) -> None:
        with pytest.raises(OSError):
            await rpc.start("AdService", ads.METHODS, shop.env["AD_SERVICE_ADDR"])

    async def test_methods_must_match(self) -> None:
        with pytest.raises(ValueError, match="GetAds"):
            await rpc.start("AdService", {}, "127.0.0.1:0")

    def test_addresses_must_be_set(self) -> None:
        with pytest.raises(SystemExit, match='environment variable "CART_SERVICE_ADDR" not set'):
            rpc.address_of("CART_SERVICE_ADDR", {})

    def test_ports(self) -> None:
        assert (rpc.port_of(7070, {}), rpc.port_of(7070, {"PORT": "1"})) == (7070, 1)
