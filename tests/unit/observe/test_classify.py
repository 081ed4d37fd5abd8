from __future__ import annotations

import json

import pytest

from meshcourse.errors import MeshcourseError
from meshcourse.observe import classify

HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}


def page(stars: str) -> str:
    return f"<section>{stars}<p>Reviewer1</p></section>"


def star(colour: str) -> str:
    return f'<div class="flex gap-x-1 text-{colour}-500">\n <svg id="glyphicon glyphicon-star" class="h-5">'


def answer(*ratings: dict[str, object] | None) -> str:
    reviews = [{"reviewer": "R", **({"rating": rating} if rating else {})} for rating in ratings]
    return json.dumps({"id": "0", "podname": "reviews", "reviews": reviews})


@pytest.mark.parametrize(
    ("status", "headers", "body", "label"),
    [
        (200, HTML, page(""), "v1"),
        (200, HTML, page(star("black")), "v2"),
        (200, HTML, page(star("red")), "v3"),
        (200, HTML, page('<font color="red">'), "v3"),
        (
            200,
            HTML,
            "Sorry, product reviews are currently unavailable for this book.",
            "reviews unavailable",
        ),
        (200, HTML, page("Ratings service is currently unavailable"), "ratings unavailable"),
        (200, HTML, "<h1>something else</h1>", ""),
        (503, HTML, page(""), ""),
        (200, JSON, answer(None, None), "v1"),
        (200, JSON, answer({"stars": 5, "color": "black"}), "v2"),
        (200, JSON, answer({"stars": 5, "color": "red"}), "v3"),
        (
            200,
            JSON,
            answer({"error": "Ratings service is currently unavailable"}),
            "ratings unavailable",
        ),
        (200, JSON, '{"error": "Sorry"}', "reviews unavailable"),
        (200, JSON, "not json", ""),
        (200, JSON, "[]", ""),
        (200, JSON, '{"reviews": []}', ""),
    ],
)
def test_the_version_of_reviews_is_told_by_its_stars(
    status: int, headers: dict[str, str], body: str, label: str
) -> None:
    assert classify.reviews(status, headers, body) == label


def test_a_header_a_pattern_or_a_function_may_tell_versions_apart() -> None:
    by_header = classify.choose("header: X-Version")
    by_pattern = classify.choose(r"version: (\w+)")
    whole = classify.choose(r"v\d")
    assert by_header is not None
    assert by_pattern is not None
    assert whole is not None
    assert by_header(200, {"x-version": "v7"}, "") == "v7"
    assert by_header(200, {}, "") == ""
    assert by_pattern(200, {}, "the version: v2 of it") == "v2"
    assert by_pattern(200, {}, "nothing") == ""
    assert whole(200, {}, "is v3") == "v3"
    assert classify.choose("reviews") is classify.reviews
    assert classify.choose(classify.reviews) is classify.reviews
    assert classify.choose(None) is None


def test_a_broken_pattern_is_refused_with_a_remedy() -> None:
    with pytest.raises(MeshcourseError, match="not a regular expression"):
        classify.choose("(")
