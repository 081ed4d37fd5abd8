"""productpage: pages, API, retries, sessions, headers, metrics."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from meshcourse.embedded.images.bookinfo import forwarding, pages, productpage, session

DETAILS = {"id": 0, "author": "W. S.", "pages": 200}
TRACE = "80f198ee56343ba864fe8b2a57d3eff7"
SPAN = "e457b5a2e4d86bd1"


def reviews(rating: dict[str, Any] | None) -> dict[str, Any]:
    entries = [{"reviewer": f"Reviewer{n}", "text": "Fine <b>play</b>."} for n in (1, 2)]
    if rating:
        entries = [entry | {"rating": rating} for entry in entries]
    return {"id": "0", "podname": "reviews-v3-xyz", "clustername": "null", "reviews": entries}


async def page(client: Any, backend: Any, rating: dict[str, Any] | None = None, **env: str) -> str:
    one, two = await backend(DETAILS), await backend(reviews(rating))
    http = await client(productpage.application(one.env("details") | two.env("reviews") | env))
    response = await http.get("/productpage")
    assert response.status == 200
    text: str = await response.text()
    return text


class TestPage:
    async def test_no_stars(self, client: Any, backend: Any) -> None:
        html = await page(client, backend)
        assert "<title>Simple Bookstore App</title>" in html
        assert "glyphicon-star" not in html
        assert "no stars in this version" in html
        assert "Fine &lt;b&gt;play&lt;/b&gt;." in html

    @pytest.mark.parametrize("color", ["black", "red"])
    async def test_stars(self, client: Any, backend: Any, color: str) -> None:
        html = await page(client, backend, {"stars": 4, "color": color})
        assert html.count("glyphicon-star") == 8
        assert html.count("star hollow") == 2
        assert f'text-{color}-500" style="color:{color}"' in html
        assert "reviews-v3-xyz" in html
        assert "on cluster" not in html

    async def test_ratings_that_fail(self, client: Any, backend: Any) -> None:
        html = await page(client, backend, {"error": "Ratings service is currently unavailable"})
        assert html.count("Ratings service is currently unavailable") == 2

    async def test_back_ends_that_fail(self, client: Any, backend: Any) -> None:
        bad = await backend({}, status=503)
        http = await client(productpage.application(bad.env("details") | bad.env("reviews")))
        response = await http.get("/productpage")
        html = await response.text()
        assert response.status == 200
        assert "Sorry, product reviews are currently unavailable for this book." in html
        assert "Sorry, product details are currently unavailable for this book." in html
        assert [request.path for request in bad.requests] == [
            "/details/0",
            "/reviews/0",
            "/reviews/0",
        ]

    async def test_cluster_name(self) -> None:
        html = pages.product(
            productpage.PRODUCTS[0],
            None,
            (200, DETAILS),
            (200, reviews(None) | {"clustername": "west"}),
        )
        assert "on cluster west" in html

    async def test_front_page_health_and_assets(self, client: Any) -> None:
        http = await client(productpage.application({}))
        front = await (await http.get("/")).text()
        assert "http://ratings:9080" in front
        assert await (await http.get("/index.html")).text() == front
        assert await (await http.get("/health")).text() == "Product page is healthy"
        for name, kind in pages.STATIC.items():
            response = await http.get(f"/static/{name}")
            assert (response.status, response.content_type) == (200, kind)
        assert (await http.get("/static/../session.py")).status == 404

    async def test_nothing_is_loaded_from_elsewhere(self, client: Any, backend: Any) -> None:
        everything = await page(client, backend) + "".join(
            pages.static(name) for name in pages.STATIC
        )
        loads = [
            word for word in everything.split() if word.startswith(("src=", "url(", "@import"))
        ]
        assert loads
        assert not [word for word in loads if "//" in word]

    async def test_flooding(self, client: Any, backend: Any) -> None:
        one, two = await backend(DETAILS), await backend(reviews(None))
        env = one.env("details") | two.env("reviews") | {"FLOOD_FACTOR": "5"}
        await (await client(productpage.application(env))).get("/productpage")
        assert len(two.requests) == 6


class TestApi:
    async def test_products(self, client: Any) -> None:
        http = await client(productpage.application({}))
        [book] = await (await http.get("/api/v1/products")).json()
        assert list(book) == ["id", "title", "descriptionHtml"]
        assert book["title"] == "The Comedy of Errors"

    @pytest.mark.parametrize("status", [404, 418, 500, 503])
    @pytest.mark.parametrize(
        ("path", "app"), [("", "details"), ("/reviews", "reviews"), ("/ratings", "ratings")]
    )
    async def test_status_passes_through(
        self, client: Any, backend: Any, path: str, app: str, status: int
    ) -> None:
        bad = await backend({}, status=status)
        http = await client(productpage.application(bad.env(app)))
        response = await http.get(f"/api/v1/products/0{path}")
        error = f"Sorry, product {app} are currently unavailable for this book."
        assert (response.status, await response.json()) == (status, {"error": error})
        assert len(bad.requests) == (2 if app == "reviews" else 1)

    async def test_unreachable_is_500(self, client: Any, unused_tcp_port: int) -> None:
        env = {"DETAILS_HOSTNAME": "127.0.0.1", "DETAILS_SERVICE_PORT": str(unused_tcp_port)}
        assert (
            await (await client(productpage.application(env))).get("/api/v1/products/0")
        ).status == 500

    async def test_a_second_try_may_succeed(self, client: Any, backend: Any) -> None:
        codes = iter([503, 200])

        async def flaky(request: web.Request) -> web.Response:
            return web.json_response(reviews(None), status=next(codes))

        back = await backend(answer=flaky)
        http = await client(productpage.application(back.env("reviews")))
        response = await http.get("/api/v1/products/0/reviews")
        assert response.status == 200
        assert (await response.json())["podname"] == "reviews-v3-xyz"

    async def test_wrong_method(self, client: Any) -> None:
        http = await client(productpage.application({}))
        assert (await http.get("/login")).status == 405
        assert (await http.post("/productpage")).status == 405


class TestTimeoutBug:
    """With jason on reviews v2 a slow ratings is in time for reviews but not for productpage."""

    def test_the_true_numbers(self) -> None:
        assert productpage.TIMEOUT == 3.0
        assert productpage.REVIEWS_TRIES == 2

    async def test_the_defaults_are_used(self) -> None:
        service = productpage.Productpage({})
        assert service.timeout == 3.0
        await service.http.close()

    async def test_two_tries_then_an_apology(self, client: Any, backend: Any) -> None:
        async def slow(request: web.Request) -> web.Response:
            await asyncio.sleep(5)
            return web.json_response(reviews(None))

        back = await backend(answer=slow)
        http = await client(productpage.application(back.env("reviews"), timeout=0.1))
        started = time.monotonic()
        response = await http.get("/api/v1/products/0/reviews")
        took = time.monotonic() - started
        assert response.status == 500
        assert len(back.requests) == 2
        assert 0.2 <= took < 2


class TestSession:
    async def test_login_and_logout(self, client: Any, backend: Any) -> None:
        one, two = await backend(DETAILS), await backend(reviews(None))
        http = await client(productpage.application(one.env("details") | two.env("reviews")))
        here = {"Referer": "http://elsewhere/productpage"}
        response = await http.post(
            "/login", data={"username": "jason"}, headers=here, allow_redirects=False
        )
        assert (response.status, response.headers["Location"]) == (302, here["Referer"])
        cookie = response.cookies[session.COOKIE]
        assert cookie["httponly"]
        html = await (
            await http.get("/productpage", headers={"Cookie": f"session={cookie.value}"})
        ).text()
        assert "jason" in html
        assert "Sign out" in html
        assert {request.headers.get("end-user") for request in (*one.requests, *two.requests)} == {
            "jason"
        }
        response = await http.get(
            "/logout", headers=here | {"Cookie": f"session={cookie.value}"}, allow_redirects=False
        )
        assert (response.status, response.headers["Location"]) == (302, here["Referer"])
        assert response.cookies[session.COOKIE].value == ""

    async def test_login_without_a_referer_goes_to_the_page(self, client: Any) -> None:
        http = await client(productpage.application({}))
        response = await http.post("/login", data={"username": "jason"}, allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (302, "productpage")

    async def test_signed_out(self, client: Any, backend: Any) -> None:
        html = await page(client, backend)
        assert 'action="login"' in html
        assert 'name="username"' in html

    @pytest.mark.parametrize("user", ["jason", "Zoë <x>", ""])
    def test_cookie_round_trip(self, user: str) -> None:
        assert session.decode(session.encode(user)) == user

    @pytest.mark.parametrize("value", ["", "x", "a.b", session.encode("jason")[:-2] + "xx"])
    def test_a_forged_cookie_is_nobody(self, value: str) -> None:
        assert session.decode(value) is None


class TestForwarding:
    """What upstream's productpage forwards, observed on the original with the same requests."""

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, {}),
            (
                {
                    "x-b3-traceid": TRACE,
                    "x-b3-spanid": SPAN,
                    "x-b3-sampled": "1",
                    "x-b3-parentspanid": SPAN,
                },
                {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
            ),
            (
                {"x-b3-traceid": TRACE[:16], "x-b3-spanid": SPAN},
                {"x-b3-traceid": "0" * 16 + TRACE[:16], "x-b3-spanid": SPAN, "x-b3-sampled": "0"},
            ),
            (
                {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1"},
                {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
            ),
            ({"x-b3-traceid": "zz", "x-b3-spanid": SPAN, "x-b3-sampled": "1"}, {}),
            (
                {"b3": f"{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90"},
                {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
            ),
            ({"b3": "0"}, {}),
            (
                {"x-b3-traceid": TRACE.upper(), "x-b3-spanid": SPAN, "x-b3-sampled": "d"},
                {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
            ),
        ],
    )
    def test_b3(self, given: dict[str, str], expected: dict[str, str]) -> None:
        assert forwarding.of_productpage(given, None) == expected

    def test_end_user_is_never_taken_from_the_request(self) -> None:
        assert forwarding.of_productpage({"end-user": "eve"}, None) == {}
        assert forwarding.of_productpage({"end-user": "eve"}, "jason") == {"end-user": "jason"}

    async def test_through_the_service(self, client: Any, backend: Any) -> None:
        back = await backend(DETAILS)
        http = await client(productpage.application(back.env("details")))
        sent = {
            name: f"v {name}"
            for name in (*forwarding.TRACING, "user-agent", "authorization", "jwt")
        }
        await http.get("/api/v1/products/0", headers=sent | {"cookie": "a=b", "x-private": "no"})
        [request] = back.requests
        assert {name: request.headers.get(name) for name in sent} == sent
        assert request.headers["cookie"] == "a=b"
        assert "x-private" not in request.headers


async def test_metrics(client: Any, backend: Any) -> None:
    good, bad = await backend(DETAILS), await backend({}, status=503)
    http = await client(productpage.application(good.env("details") | bad.env("reviews")))
    for path in ("/api/v1/products/0", "/api/v1/products/0", "/api/v1/products/0/reviews"):
        await http.get(path)
    text = await (await http.get("/metrics")).text()
    assert 'request_result_total{destination_app="details",response_code="200"} 2.0' in text
    assert 'request_result_total{destination_app="reviews",response_code="503"} 1.0' in text
    assert "# TYPE request_result_total counter" in text


def test_addresses_of_back_ends() -> None:
    assert productpage.backend({}, "reviews") == "http://reviews:9080"
    env = {"SERVICES_DOMAIN": "svc", "REVIEWS_HOSTNAME": "r", "REVIEWS_SERVICE_PORT": "1"}
    assert productpage.backend(env, "reviews") == "http://r.svc:1"
