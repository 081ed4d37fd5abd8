"""productpage: the page a visitor sees, made from details and reviews, and the JSON API behind it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from meshcourse.embedded.images import common, outbound
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.bookinfo import forwarding, pages, session

PORT = 9080
#: Seconds that any back end gets.
TIMEOUT = 3.0
#: How often reviews is asked. With TIMEOUT this makes 6 s: less than the 10 s that reviews v2 gives ratings, which is
#: the bug that the fault-injection notebook finds.
REVIEWS_TRIES = 2

PRODUCTS = [
    {
        "id": 0,
        "title": "The Comedy of Errors",
        "descriptionHtml": (
            "Two brothers and their two servants, each pair identical, each pair parted as infants, come to the "
            "same town on the same day. Shakespeare's shortest play lives on "
            '<a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">mistaken identity</a>: '
            "everyone is answered by the wrong one of two who look alike, "
            "which is <b>traffic splitting</b> without a plan."
        ),
    }
]

Result = tuple[int, Any]


class Productpage:
    """The service, with its settings read from the environment it was started in."""

    def __init__(self, env: Mapping[str, str], *, timeout: float = TIMEOUT) -> None:
        self.backends = {name: backend(env, name) for name in ("details", "reviews", "ratings")}
        self.flood = int(env.get("FLOOD_FACTOR") or 0)
        self.timeout = timeout
        self.http = outbound.Http()
        self.results: Counter[tuple[str, int]] = Counter()

    # Data from the back ends

    async def _ask(
        self, app: str, product: object, headers: Mapping[str, str], tries: int
    ) -> Result:
        """Status and JSON of a back end; any failure becomes its status (500 if there is none) and an apology."""
        status = 500
        for _ in range(tries):
            try:
                answer = await self.http.get(
                    f"{self.backends[app]}/{app}/{product}", headers, self.timeout
                )
            except outbound.Unreachable:
                status = 500
                continue
            status = answer.status
            if status == 200:
                self.results[app, 200] += 1
                return 200, json.loads(answer.body)
        self.results[app, status] += 1
        return status, {"error": f"Sorry, product {app} are currently unavailable for this book."}

    async def details(self, product: object, headers: Mapping[str, str]) -> Result:
        """What details says."""
        return await self._ask("details", product, headers, 1)

    async def reviews(self, product: object, headers: Mapping[str, str]) -> Result:
        """What reviews says, asked twice if need be."""
        return await self._ask("reviews", product, headers, REVIEWS_TRIES)

    async def ratings(self, product: object, headers: Mapping[str, str]) -> Result:
        """What ratings says."""
        return await self._ask("ratings", product, headers, 1)

    # Pages

    async def index(self, request: web.Request) -> web.Response:
        """``/`` and ``/index.html``."""
        tree = self.tree()
        return _html(pages.index(tree))

    async def productpage(self, request: web.Request) -> web.Response:
        """``/productpage``: 200 whatever the back ends do."""
        headers = forward(request)
        details = await self.details(0, headers)
        for _ in range(self.flood):  # the flooding variant: load for the rate-limit notebooks
            await self.reviews(0, headers)
        reviews = await self.reviews(0, headers)
        return _html(pages.product(PRODUCTS[0], user_of(request), details, reviews))

    async def static(self, request: web.Request) -> web.Response:
        """``/static/…``."""
        name = request.match_info["name"]
        if name not in pages.STATIC:
            raise web.HTTPNotFound
        return web.Response(text=pages.static(name), content_type=pages.STATIC[name])

    # Session

    async def login(self, request: web.Request) -> web.Response:
        """``POST /login`` with `username`: a session, and back to where the visitor came from."""
        form = await request.post()
        user = form.get("username") or request.query.get("username")
        response = _back(request)
        if isinstance(user, str):
            response.set_cookie(session.COOKIE, session.encode(user), httponly=True, path="/")
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """``GET /logout``: the session ends."""
        response = _back(request)
        if session.COOKIE in request.cookies:
            response.del_cookie(session.COOKIE, path="/")
        return response

    # API

    async def products(self, request: web.Request) -> web.Response:
        """``/api/v1/products``."""
        return web.json_response(PRODUCTS)

    async def product_api(self, request: web.Request) -> web.Response:
        """``/api/v1/products/{id}`` and below it ``reviews`` and ``ratings``: the back end's status passes through."""
        ask = {"": self.details, "reviews": self.reviews, "ratings": self.ratings}
        what = request.match_info.get("what", "")
        status, body = await ask[what](request.match_info["id"], forward(request))
        return web.json_response(body, status=status)

    async def health(self, request: web.Request) -> web.Response:
        """``/health``."""
        return _html("Product page is healthy")

    async def metrics(self, request: web.Request) -> web.Response:
        """``/metrics`` in Prometheus' text format."""
        text = metrics_text(self.results)
        return web.Response(
            text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    def tree(self) -> dict[str, Any]:
        """The services as the front page shows them."""

        def node(app: str, *children: dict[str, Any]) -> dict[str, Any]:
            return {"name": self.backends[app], "endpoint": app, "children": list(children)}

        calls = [node("details"), node("reviews", node("ratings"))]
        return {"name": "this page", "endpoint": "productpage", "children": calls}


def backend(env: Mapping[str, str], app: str) -> str:
    """Where a back end is, as <APP>_HOSTNAME, SERVICES_DOMAIN and <APP>_SERVICE_PORT say."""
    domain = "." + env["SERVICES_DOMAIN"] if "SERVICES_DOMAIN" in env else ""
    host = env.get(f"{app.upper()}_HOSTNAME", app)
    return f"http://{host}{domain}:{env.get(f'{app.upper()}_SERVICE_PORT', '9080')}"


def user_of(request: web.Request) -> str | None:
    """Who signed in, or None."""
    return session.decode(request.cookies.get(session.COOKIE, ""))


def forward(request: web.Request) -> dict[str, str]:
    """The headers for every call that this request causes."""
    return forwarding.of_productpage(request.headers, user_of(request))


def metrics_text(results: Mapping[tuple[str, int], int]) -> str:
    """The counter `request_result_total` in text format."""
    lines = [
        "# HELP request_result_total Results of requests",
        "# TYPE request_result_total counter",
    ]
    for (app, code), count in sorted(results.items()):
        lines.append(
            f'request_result_total{{destination_app="{app}",response_code="{code}"}} {count:.1f}'
        )
    return "\n".join(lines) + "\n"


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", charset="utf-8")


def _back(request: web.Request) -> web.Response:
    return web.Response(
        status=302, headers={"Location": request.headers.get("Referer", "productpage")}
    )


def application(env: Mapping[str, str] = os.environ, **timeouts: float) -> web.Application:
    """The aiohttp application; call it inside the event loop."""
    service = Productpage(env, **timeouts)
    app = serving.application("meshcourse-productpage")
    get = app.router.add_get
    get("/", service.index)
    get("/index.html", service.index)
    get("/productpage", service.productpage)
    get("/static/{name:.+}", service.static)
    get("/logout", service.logout)
    get("/health", service.health)
    get("/metrics", service.metrics)
    get("/api/v1/products", service.products)
    get("/api/v1/products/{id}", service.product_api)
    get("/api/v1/products/{id}/{what:reviews|ratings}", service.product_api)
    app.router.add_post("/login", service.login)

    async def close(app: web.Application) -> None:
        await service.http.close()

    app.on_cleanup.append(close)
    return app


def main(argv: list[str]) -> int:
    """Image examples-bookinfo-productpage-v1."""
    common.bake(FLOOD_FACTOR="0")
    return serving.run(application, common.port_argument(argv, PORT))


def main_flooding(argv: list[str]) -> int:
    """Image examples-bookinfo-productpage-v-flooding, which asks reviews a hundred times more."""
    common.bake(FLOOD_FACTOR="100")
    return serving.run(application, common.port_argument(argv, PORT))
