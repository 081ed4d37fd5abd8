"""frontend: the shop's pages over HTTP, made of calls over gRPC (`shop`)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from google.protobuf import json_format

from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.boutique import forms, money, rpc, shop, views

PORT = 8080
SESSION = "shop_session-id"
CURRENCY = "shop_currency"
#: Seconds for which cookies are kept.
COOKIE_AGE = 48 * 3600
#: The session of everybody where ENABLE_SINGLE_SHARED_SESSION is true.
SHARED_SESSION = "12345678-1234-1234-1234-123456789123"

#: Where a request keeps its session's id.
VISITOR = web.RequestKey("session", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Frontend:
    """The handlers, with settings read from the environment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.shop = shop.Shop(env)

    def _visit(self, request: web.Request) -> shop.Visit:
        currency = request.cookies.get(CURRENCY, "USD")
        return self.shop.visit(rpc.tracing(request.headers), request[VISITOR], currency)

    def _page(
        self, request: web.Request, content: str, status: int = 200, **frame: Any
    ) -> web.Response:
        around = views.Frame(
            currency=request.cookies.get(CURRENCY, "USD"),
            session=request[VISITOR],
            request_id=request.headers.get("x-request-id", "") or str(uuid.uuid4()),
            pod=self.env.get("HOSTNAME", ""),
            message=self.env.get("FRONTEND_MESSAGE", "").strip(),
            **frame,
        )
        return web.Response(
            text=views.page(around, content), status=status, content_type="text/html"
        )

    async def home(self, request: web.Request) -> web.Response:
        """``/``."""
        visit = self._visit(request)
        currencies, products, cart = (
            await visit.currencies(),
            await visit.products(),
            await visit.cart(),
        )
        priced = []
        for item in products:
            what = f"failed to do currency conversion for product {item.id}"
            priced.append((item, await visit.local(item.price_usd, what)))
        content = views.home(priced, await visit.ad([]))
        banner = self.env.get("BANNER_COLOR", "")
        return self._page(
            request, content, currencies=tuple(currencies), cart_size=_size(cart), banner=banner
        )

    async def product(self, request: web.Request) -> web.Response:
        """``/product/{id}``."""
        visit, identity = self._visit(request), request.match_info["id"]
        item = await visit.product(identity)
        currencies, cart, price = (
            await visit.currencies(),
            await visit.cart(),
            await visit.local(item.price_usd),
        )
        recommended = await visit.recommendations([identity])
        content = views.product(item, price, recommended, await visit.ad(list(item.categories)))
        return self._page(request, content, currencies=tuple(currencies), cart_size=_size(cart))

    async def cart(self, request: web.Request) -> web.Response:
        """``GET /cart``."""
        visit = self._visit(request)
        currencies, cart = await visit.currencies(), await visit.cart()
        recommended = await visit.recommendations([item.product_id for item in cart])
        shipping = await visit.shipping(cart)
        lines = await visit.lines(cart)
        total = shipping
        for line in lines:
            total = money.add(total, line.price)
        content = views.cart(lines, shipping, total, recommended)
        return self._page(request, content, currencies=tuple(currencies), cart_size=_size(cart))

    async def add(self, request: web.Request) -> web.Response:
        """``POST /cart``."""
        product, quantity = forms.item(await _form(request))
        await self._visit(request).add(product, quantity)
        return _go("/cart")

    async def empty(self, request: web.Request) -> web.Response:
        """``POST /cart/empty``."""
        await self._visit(request).empty()
        return _go("/")

    async def checkout(self, request: web.Request) -> web.Response:
        """``POST /cart/checkout``."""
        visit = self._visit(request)
        placed = await visit.order(**forms.order(await _form(request)))
        recommended, currencies = await visit.recommendations([]), await visit.currencies()
        paid = placed.shipping_cost
        for entry in placed.items:
            paid = money.add(paid, money.times(entry.cost, entry.item.quantity))
        return self._page(
            request, views.order(placed, paid, recommended), currencies=tuple(currencies)
        )

    async def set_currency(self, request: web.Request) -> web.Response:
        """``POST /setCurrency``."""
        code = forms.currency(await _form(request))
        response = _go(request.headers.get("Referer") or "/")
        response.set_cookie(CURRENCY, code, max_age=COOKIE_AGE)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """``/logout``: every cookie goes."""
        response = _go("/")
        for name in request.cookies:
            response.del_cookie(name)
        return response

    async def product_json(self, request: web.Request) -> web.Response:
        """``/product-meta/{id}``."""
        item = await self._visit(request).product(request.match_info["id"])
        return web.json_response(json_format.MessageToDict(item, preserving_proto_field_name=True))

    async def static(self, request: web.Request) -> web.Response:
        """``/static/…``."""
        name = request.match_info["name"]
        picture = name.removeprefix("img/products/")
        if picture != name and (drawing := views.drawing(picture)) is not None:
            return web.Response(text=drawing, content_type="image/svg+xml")
        if name not in views.STATIC:
            raise web.HTTPNotFound
        return web.Response(text=views.static(name), content_type=views.STATIC[name])

    async def health(self, request: web.Request) -> web.Response:
        """``/_healthz``."""
        return web.Response(text="ok")

    async def robots(self, request: web.Request) -> web.Response:
        """``/robots.txt``."""
        return web.Response(text="User-agent: *\nDisallow: /")

    def failed(self, request: web.Request, status: int, reason: str) -> web.Response:
        """The page of an error."""
        content = views.error(status, HTTPStatus(status).phrase, reason)
        return self._page(request, content, status)


def _size(cart: list[Any]) -> int:
    return sum(item.quantity for item in cart)


async def _form(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _go(location: str) -> web.Response:
    return web.Response(status=302, headers={"Location": location})


def _manners(service: Frontend) -> Any:
    """What goes for every page: a session, and a page for each error."""

    @web.middleware
    async def manners(request: web.Request, handler: Handler) -> web.StreamResponse:
        fresh = SESSION not in request.cookies
        shared = service.env.get("ENABLE_SINGLE_SHARED_SESSION") == "true"
        request[VISITOR] = request.cookies.get(SESSION) or (
            SHARED_SESSION if shared else str(uuid.uuid4())
        )
        try:
            response = await handler(request)
        except shop.ShopError as error:
            response = service.failed(request, 500, str(error))
        except forms.Invalid as error:
            response = service.failed(request, 422, str(error))
        if fresh:
            response.set_cookie(SESSION, request[VISITOR], max_age=COOKIE_AGE)
        return response

    return manners


def application(env: Mapping[str, str] = os.environ) -> web.Application:
    """The aiohttp application; call it inside the event loop."""
    service = Frontend(env)
    app = serving.application("")
    app.middlewares.append(_manners(service))
    get, post = app.router.add_get, app.router.add_post
    get("/", service.home)
    get("/product/{id}", service.product)
    get("/cart", service.cart)
    post("/cart", service.add)
    post("/cart/empty", service.empty)
    post("/cart/checkout", service.checkout)
    post("/setCurrency", service.set_currency)
    get("/logout", service.logout)
    get("/product-meta/{id}", service.product_json)
    get("/static/{name:.+}", service.static)
    get("/robots.txt", service.robots)
    get("/_healthz", service.health)

    async def close(app: web.Application) -> None:
        await service.shop.close()

    app.on_cleanup.append(close)
    return app


def main(argv: list[str]) -> int:
    """Image microservices-demo/frontend."""
    return serving.run(application, rpc.port_of(PORT))
