"""Which version answered? Looked up in the answer itself, the way a person would: by the stars on the page. Pure.

A classifier takes status, headers and body and returns a label, or "" if it cannot tell. Facts about Bookinfo: reviews
v1 shows no stars, v2 black ones, v3 red ones; JSON answers carry the colour as a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from meshcourse.errors import MeshcourseError

#: (status, headers, body) → label.
Classifier = Callable[[int, Mapping[str, str], str], str]

UNAVAILABLE = "reviews unavailable"
_COLOURS = {"": "v1", "black": "v2", "red": "v3"}
_STAR = re.compile(r"text-(\w+)-500[^>]*>\s*(?:<!--.*?-->\s*)*<svg[^>]*glyphicon-star", re.S)
_OLD_STAR = re.compile(r"<font color=\"(\w+)\">", re.S)


def reviews(status: int, headers: Mapping[str, str], body: str) -> str:
    """``v1``, ``v2`` or ``v3`` of Bookinfo's reviews, from /productpage, from the JSON API or from reviews itself."""
    if status != 200:
        return ""
    if "json" in headers.get("Content-Type", headers.get("content-type", "")):
        return _from_json(body)
    if "product reviews are currently unavailable" in body:
        return UNAVAILABLE
    if "Reviewer1" not in body:
        return ""
    if "Ratings service is currently unavailable" in body:
        return "ratings unavailable"
    found = _STAR.search(body) or _OLD_STAR.search(body)
    return _COLOURS.get(found.group(1) if found else "", "")


def header(name: str) -> Classifier:
    """The value of a response header."""

    def classify(status: int, headers: Mapping[str, str], body: str) -> str:
        del status, body
        return next((value for key, value in headers.items() if key.lower() == name.lower()), "")

    return classify


def pattern(expression: str) -> Classifier:
    """What a regular expression finds in the body: its first group, or the whole match."""
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise MeshcourseError(f"{expression!r} is not a regular expression: {error}") from error

    def classify(status: int, headers: Mapping[str, str], body: str) -> str:
        del status, headers
        found = compiled.search(body)
        return found.group(1 if compiled.groups else 0) if found else ""

    return classify


def choose(wanted: Classifier | str | None) -> Classifier | None:
    """A classifier from what a caller may say: one itself, ``reviews``, ``header:x-version``, or a pattern."""
    if wanted is None or callable(wanted):
        return wanted
    if wanted == "reviews":
        return reviews
    if wanted.startswith("header:"):
        return header(wanted.removeprefix("header:").strip())
    return pattern(wanted)


def _from_json(body: str) -> str:
    try:
        data = json.loads(body)
    except ValueError:
        return ""
    items: Any = data.get("reviews") if isinstance(data, dict) else None
    if not isinstance(items, list) or not items:
        return UNAVAILABLE if isinstance(data, dict) and "error" in data else ""
    ratings = [item.get("rating") or {} for item in items if isinstance(item, dict)]
    if any("error" in rating for rating in ratings):
        return "ratings unavailable"
    return _COLOURS.get(str(ratings[0].get("color", "")) if ratings else "", "")
