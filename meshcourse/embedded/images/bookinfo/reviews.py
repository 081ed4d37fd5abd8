"""reviews: v1 without stars, v2 with black, v3 with red ones; stars come from ratings.

The version is nothing but two environment variables, ENABLE_RATINGS and STAR_COLOR, and the colour also decides how
long reviews waits for ratings. That oddity is the sample's famous bug: v2 is more patient than productpage.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from meshcourse.embedded.images import common, outbound
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.bookinfo import forwarding

PORT = 9080
#: Seconds that black stars (v2) wait for ratings: longer than productpage waits for reviews.
PATIENT = 10.0
#: Seconds that every other colour waits.
HASTY = 2.5

TEXTS = {
    "Reviewer1": "Two pairs of twins, one harbour town, and not a dull minute between them.",
    "Reviewer2": "Great fun on stage, though nobody in it stays puzzled for very deep reasons.",
}
UNRATED = {"error": "Ratings service is currently unavailable"}

_INTEGER = re.compile(r"[+-]?[0-9]+")


class Reviews:
    """The service, with its settings read from the environment it was started in."""

    def __init__(
        self, env: Mapping[str, str], *, patient: float = PATIENT, hasty: float = HASTY
    ) -> None:
        self.enabled = env.get("ENABLE_RATINGS", "").lower() == "true"
        self.color = env.get("STAR_COLOR", "black")
        self.timeout = patient if self.color == "black" else hasty
        self.ratings_url = ratings_url(env)
        self.pod = env.get("HOSTNAME", "null")
        self.cluster = env.get("CLUSTER_NAME", "null")
        self.http = outbound.Http()

    async def stars(self, product: int, headers: Mapping[str, str]) -> dict[str, Any]:
        """Stars by reviewer; empty when ratings does not answer with 200 and in time."""
        try:
            answer = await self.http.get(
                f"{self.ratings_url}/{product}",
                {"accept": "application/json"} | forwarding.select(headers),
                self.timeout,
            )
        except outbound.Unreachable as error:
            common.complain(f"Error: unable to contact {self.ratings_url} got exception {error}")
            return {}
        if answer.status != 200:
            common.say(f"Error: unable to contact {self.ratings_url} got status of {answer.status}")
            return {}
        ratings: dict[str, Any] = json.loads(answer.body).get("ratings", {})
        return ratings

    def rating(self, stars: int | None) -> dict[str, Any]:
        """The `rating` of one review; -1 is upstream's word for unknown."""
        return UNRATED if stars in (None, -1) else {"stars": stars, "color": self.color}

    async def reviews(self, request: web.Request) -> web.Response:
        """``GET /reviews/{productId}``; an id that is no number is not found."""
        if not _INTEGER.fullmatch(request.match_info["product"]):
            raise web.HTTPNotFound
        product = int(request.match_info["product"])
        entries: list[dict[str, Any]] = [
            {"reviewer": who, "text": text} for who, text in TEXTS.items()
        ]
        if self.enabled:
            stars = await self.stars(product, request.headers)
            for entry in entries:
                entry["rating"] = self.rating(stars.get(entry["reviewer"]))
        return web.json_response(
            # The id is text and an unset cluster is the word null, as upstream has it.
            {
                "id": str(product),
                "podname": self.pod,
                "clustername": self.cluster,
                "reviews": entries,
            }
        )

    async def health(self, request: web.Request) -> web.Response:
        """``GET /health``."""
        return web.json_response({"status": "Reviews is healthy"})


def ratings_url(env: Mapping[str, str]) -> str:
    """Where ratings is, as RATINGS_HOSTNAME, SERVICES_DOMAIN and RATINGS_SERVICE_PORT say."""
    domain = "." + env["SERVICES_DOMAIN"] if "SERVICES_DOMAIN" in env else ""
    host, port = env.get("RATINGS_HOSTNAME", "ratings"), env.get("RATINGS_SERVICE_PORT", "9080")
    return f"http://{host}{domain}:{port}/ratings"


def application(env: Mapping[str, str] = os.environ, **timeouts: float) -> web.Application:
    """The aiohttp application; call it inside the event loop."""
    service = Reviews(env, **timeouts)
    app = serving.application("meshcourse-reviews")
    app.router.add_get("/reviews/{product}", service.reviews)
    app.router.add_get("/health", service.health)

    async def close(app: web.Application) -> None:
        await service.http.close()

    app.on_cleanup.append(close)
    return app


def _main(argv: list[str], **baked: str) -> int:
    common.bake(**baked)
    return serving.run(application, common.port_argument(argv, PORT))


def main_v1(argv: list[str]) -> int:
    """Image examples-bookinfo-reviews-v1: no stars."""
    return _main(argv, SERVICE_VERSION="v1", ENABLE_RATINGS="false")


def main_v2(argv: list[str]) -> int:
    """Image examples-bookinfo-reviews-v2: black stars."""
    return _main(argv, SERVICE_VERSION="v2", ENABLE_RATINGS="true", STAR_COLOR="black")


def main_v3(argv: list[str]) -> int:
    """Image examples-bookinfo-reviews-v3: red stars."""
    return _main(argv, SERVICE_VERSION="v3", ENABLE_RATINGS="true", STAR_COLOR="red")
