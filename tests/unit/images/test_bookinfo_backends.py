"""details, reviews and ratings: shapes, codes, forwarding, faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from meshcourse.embedded.images import outbound
from meshcourse.embedded.images.bookinfo import details, faults, forwarding, ratings, reviews, store

BOOK = {
    "id": 0,
    "author": "William Shakespeare",
    "year": 1595,
    "type": "paperback",
    "pages": 200,
    "publisher": "PublisherA",
    "language": "English",
    "ISBN-10": "1234567890",
    "ISBN-13": "123-1234567890",
}


class TestDetails:
    async def test_book(self, client: Any) -> None:
        http = await client(details.application({}))
        response = await http.get("/details/0")
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("application/json")
        assert await response.json() == BOOK
        assert (await (await http.get("/details/7")).json())["id"] == 7

    @pytest.mark.parametrize("path", ["/details/abc", "/details", "/details/1/x"])
    async def test_id_that_is_no_number(self, client: Any, path: str) -> None:
        response = await (await client(details.application({}))).get(path)
        assert response.status == 400
        assert await response.json() == {"error": "please provide numeric product id"}

    async def test_health_and_miss(self, client: Any) -> None:
        http = await client(details.application({}))
        assert await (await http.get("/health")).json() == {"status": "Details is healthy"}
        assert (await http.get("/nope")).status == 404

    async def test_v2_asks_the_external_service_and_forwards_headers(
        self, client: Any, backend: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        volume = {
            "authors": ["A. Writer"],
            "publishedDate": "2001",
            "printType": "BOOK",
            "pageCount": 64,
            "publisher": "P",
            "language": "en",
            "industryIdentifiers": [
                {"type": "ISBN_10", "identifier": "10"},
                {"type": "ISBN_13", "identifier": "13"},
            ],
        }
        google = await backend({"items": [{"volumeInfo": volume}]})
        # In clear text (DO_NOT_ENCRYPT) the request goes to the proxy as a sidecar would see it.
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{google.port}")
        env = {"ENABLE_EXTERNAL_BOOK_SERVICE": "true", "DO_NOT_ENCRYPT": "true"}
        http = await client(details.application(env))
        response = await http.get("/details/3", headers={"x-request-id": "r1", "x-other": "no"})
        assert (await response.json()) == {
            "id": 3,
            "author": "A. Writer",
            "year": "2001",
            "type": "paperback",
            "pages": 64,
            "publisher": "P",
            "language": "English",
            "ISBN-10": "10",
            "ISBN-13": "13",
        }
        [request] = google.requests
        assert request.host == "www.googleapis.com"
        assert request.path_qs == "/books/v1/volumes?q=isbn:0486424618"
        assert request.headers["x-request-id"] == "r1"
        assert "x-other" not in request.headers

    async def test_v2_without_the_external_service(
        self, client: Any, backend: Any, monkeypatch: Any
    ) -> None:
        refusing = await backend({"error": "blocked"}, status=502)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{refusing.port}")
        env = {"ENABLE_EXTERNAL_BOOK_SERVICE": "true", "DO_NOT_ENCRYPT": "true"}
        response = await (await client(details.application(env))).get("/details/0")
        assert response.status == 400
        assert "external book service" in (await response.json())["error"]

    def test_external_service_is_encrypted_unless_told_otherwise(self) -> None:
        assert details.EXTERNAL.format(scheme="https").startswith("https://www.googleapis.com/")
        assert details.EXTERNAL_TIMEOUT == 5.0


STARS = {"id": 0, "ratings": {"Reviewer1": 5, "Reviewer2": 4}}


class TestReviews:
    async def test_v1_has_no_ratings(self, client: Any) -> None:
        http = await client(reviews.application({"HOSTNAME": "reviews-v1-abc"}))
        body = await (await http.get("/reviews/0")).json()
        assert list(body) == ["id", "podname", "clustername", "reviews"]
        assert (body["id"], body["podname"], body["clustername"]) == ("0", "reviews-v1-abc", "null")
        assert [sorted(entry) for entry in body["reviews"]] == [["reviewer", "text"]] * 2
        assert [entry["reviewer"] for entry in body["reviews"]] == ["Reviewer1", "Reviewer2"]

    @pytest.mark.parametrize("color", ["black", "red"])
    async def test_stars_in_colour(self, client: Any, backend: Any, color: str) -> None:
        back = await backend(STARS)
        env = {"ENABLE_RATINGS": "true", "STAR_COLOR": color, "CLUSTER_NAME": "west"} | back.env(
            "ratings"
        )
        http = await client(reviews.application(env))
        body = await (await http.get("/reviews/0")).json()
        assert [entry["rating"] for entry in body["reviews"]] == [
            {"stars": 5, "color": color},
            {"stars": 4, "color": color},
        ]
        assert body["clustername"] == "west"
        assert [request.path for request in back.requests] == ["/ratings/0"]

    async def test_ratings_that_fail(self, client: Any, backend: Any) -> None:
        back = await backend({"error": "Service unavailable"}, status=503)
        http = await client(reviews.application({"ENABLE_RATINGS": "true"} | back.env("ratings")))
        response = await http.get("/reviews/0")
        assert response.status == 200
        entries = (await response.json())["reviews"]
        assert [entry["rating"] for entry in entries] == [reviews.UNRATED] * 2
        assert reviews.UNRATED == {"error": "Ratings service is currently unavailable"}

    async def test_ratings_without_a_reviewer(self, client: Any, backend: Any) -> None:
        back = await backend({"id": 0, "ratings": {"Reviewer1": 3}})
        http = await client(reviews.application({"ENABLE_RATINGS": "true"} | back.env("ratings")))
        entries = (await (await http.get("/reviews/0")).json())["reviews"]
        assert entries[0]["rating"] == {"stars": 3, "color": "black"}
        assert entries[1]["rating"] == reviews.UNRATED

    @pytest.mark.parametrize(("color", "seconds"), [("black", 10.0), ("red", 2.5), ("blue", 2.5)])
    async def test_patience_depends_on_the_colour(self, color: str, seconds: float) -> None:
        service = reviews.Reviews({"STAR_COLOR": color})
        assert service.timeout == seconds
        await service.http.close()

    async def test_ratings_too_late(self, client: Any, backend: Any) -> None:
        async def late(request: web.Request) -> web.Response:
            await asyncio.sleep(5)
            return web.json_response(STARS)

        back = await backend(answer=late)
        env = {"ENABLE_RATINGS": "true", "STAR_COLOR": "red"} | back.env("ratings")
        http = await client(reviews.application(env, hasty=0.05))
        entries = (await (await http.get("/reviews/0")).json())["reviews"]
        assert entries[0]["rating"] == reviews.UNRATED

    async def test_headers_forwarded(self, client: Any, backend: Any) -> None:
        back = await backend(STARS)
        http = await client(reviews.application({"ENABLE_RATINGS": "true"} | back.env("ratings")))
        sent = {name: f"value of {name}" for name in forwarding.BACKEND}
        await http.get("/reviews/0", headers=sent | {"x-private": "no"})
        [request] = back.requests
        assert {name: request.headers.get(name) for name in sent} == sent
        assert "x-private" not in request.headers

    async def test_misses(self, client: Any) -> None:
        http = await client(reviews.application({}))
        assert (await http.get("/reviews/abc")).status == 404
        assert await (await http.get("/health")).json() == {"status": "Reviews is healthy"}

    def test_address_of_ratings(self) -> None:
        assert reviews.ratings_url({}) == "http://ratings:9080/ratings"
        env = {"SERVICES_DOMAIN": "svc.local", "RATINGS_HOSTNAME": "r", "RATINGS_SERVICE_PORT": "1"}
        assert reviews.ratings_url(env) == "http://r.svc.local:1/ratings"


class TestRatings:
    async def test_get(self, client: Any) -> None:
        http = await client(ratings.application({}))
        response = await http.get("/ratings/0")
        assert (response.status, await response.json()) == (200, STARS)
        assert (await (await http.get("/ratings/12abc?x=1")).json())["id"] == 12

    @pytest.mark.parametrize("path", ["/ratings/abc", "/ratings/"])
    async def test_id_that_is_no_number(self, client: Any, path: str) -> None:
        response = await (await client(ratings.application({}))).get(path)
        assert response.status == 400
        assert await response.json() == {"error": "please provide numeric product ID"}

    async def test_post_is_remembered(self, client: Any) -> None:
        http = await client(ratings.application({}))
        posted = await http.post("/ratings/5", data='{"Reviewer1":1,"Reviewer2":1}')
        assert await posted.json() == {"id": 5, "ratings": {"Reviewer1": 1, "Reviewer2": 1}}
        assert (await (await http.get("/ratings/5")).json())["ratings"]["Reviewer1"] == 1
        assert (await (await http.get("/ratings/0")).json()) == STARS

    async def test_post_that_is_no_json(self, client: Any) -> None:
        response = await (await client(ratings.application({}))).post("/ratings/5", data="{")
        assert response.status == 400
        assert await response.json() == {"error": "please provide valid ratings JSON"}

    async def test_v2_does_not_take_posts(self, client: Any) -> None:
        http = await client(ratings.application({"SERVICE_VERSION": "v2"}))
        assert (await http.post("/ratings/5", data="{}")).status == 501

    async def test_health(self, client: Any) -> None:
        http = await client(ratings.application({}))
        assert await (await http.get("/health")).json() == {"status": "Ratings is healthy"}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class TestFaults:
    async def test_faulty_half_the_time(self, client: Any) -> None:
        die = iter([0.2, 0.7])
        spoiled = faults.Faults("v-faulty", die=lambda: next(die))
        http = await client(ratings.application({"SERVICE_VERSION": "v-faulty"}, spoiled))
        first = await http.get("/ratings/0")
        assert (first.status, await first.json()) == (503, {"error": "Service unavailable"})
        assert (await http.get("/ratings/0")).status == 200
        assert faults.SHARE == 0.5

    async def test_delayed_half_the_time(self) -> None:
        die, clock = iter([0.2, 0.7]), Clock()
        late = faults.Faults("v-delayed", die=lambda: next(die), clock=clock, sleep=clock.sleep)
        assert [await late.unavailable(), await late.unavailable()] == [False, False]
        assert clock.slept == [7.0]

    async def test_unavailable_every_other_minute(self) -> None:
        clock = Clock()
        off = faults.Faults("v-unavailable", clock=clock)
        seen = []
        for clock.now in (0, 59, 61, 119, 121, 185):
            seen.append(await off.unavailable())
        assert seen == [False, False, True, True, False, True]
        assert off.healthy

    async def test_unhealthy_for_a_quarter_of_an_hour(self, client: Any) -> None:
        clock = Clock()
        ill = faults.Faults("v-unhealthy", clock=clock)
        http = await client(ratings.application({"SERVICE_VERSION": "v-unhealthy"}, ill))
        assert (await http.get("/health")).status == 200
        clock.now = 901
        response = await http.get("/health")
        assert (response.status, await response.json()) == (
            500,
            {"status": "Ratings is not healthy"},
        )
        assert (await http.get("/ratings/0")).status == 503


class TestStore:
    @pytest.mark.parametrize("kind", ["mongodb", "mysql"])
    async def test_v2_reads_the_stand_in(self, client: Any, kind: str) -> None:
        server_first = kind == "mysql"
        server = await asyncio.start_server(
            store.handler(kind, server_first=server_first), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        env = {"SERVICE_VERSION": "v2", "MONGO_DB_URL": f"mongodb://127.0.0.1:{port}/test"}
        if server_first:
            env |= {"DB_TYPE": "mysql", "MYSQL_DB_HOST": "127.0.0.1", "MYSQL_DB_PORT": str(port)}
        http = await client(ratings.application(env))
        assert await (await http.get("/ratings/0")).json() == STARS
        server.close()

    async def test_says_that_it_is_a_stand_in(self) -> None:
        server = await asyncio.start_server(
            store.handler("MySQL", server_first=True), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert b"stand-in for MySQL" in await reader.readline()
        writer.write(b"SELECT 1\n")
        assert b"error" in await reader.readline()
        writer.close()
        server.close()

    async def test_without_a_database(self, client: Any, unused_tcp_port: int) -> None:
        mongo = {
            "SERVICE_VERSION": "v2",
            "MONGO_DB_URL": f"mongodb://127.0.0.1:{unused_tcp_port}/test",
        }
        response = await (await client(ratings.application(mongo))).get("/ratings/0")
        body = {"error": "could not connect to ratings database"}
        assert (response.status, await response.json()) == (500, body)
        mysql = {
            "SERVICE_VERSION": "v2",
            "DB_TYPE": "mysql",
            "MYSQL_DB_HOST": "127.0.0.1",
            "MYSQL_DB_PORT": str(unused_tcp_port),
        }
        response = await (await client(ratings.application(mysql))).get("/ratings/0")
        assert (response.status, await response.json()) == (200, body)

    async def test_through_a_proxy_that_refuses(self, backend: Any) -> None:
        proxy = await backend({})
        proxies = outbound.Proxies(f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(outbound.Unreachable, match="the proxy answered"):
            await outbound.connect("mongodb", 27017, proxies)
