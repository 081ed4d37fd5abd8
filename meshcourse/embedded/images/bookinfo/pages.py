"""productpage's HTML, made of the templates beside it. Pure but for reading them once.

A check may look for what upstream's page has too: the title, ``Reviews served by:``, one ``glyphicon-star`` per star
and the class ``text-<color>-500`` around them. Design and prose are our own, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import functools
import html
import importlib.resources
from string import Template
from typing import Any

FOLDER = importlib.resources.files(__package__) / "pages"
STATIC = {"style.css": "text/css", "cover.svg": "image/svg+xml", "mark.svg": "image/svg+xml"}
STAR = (
    '<svg id="glyphicon glyphicon-star" class="star{}" viewBox="0 0 20 20" aria-hidden="true">'
    '<path d="M10 1.6l2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8L1.600 7.700l5.800-.8z"/></svg>'
)
HOLLOW = STAR.replace(' id="glyphicon glyphicon-star"', "")
FACTS = (
    ("Author", "author"),
    ("Year", "year"),
    ("Type", "type"),
    ("Pages", "pages"),
    ("Publisher", "publisher"),
    ("Language", "language"),
    ("ISBN-10", "ISBN-10"),
    ("ISBN-13", "ISBN-13"),
)


@functools.cache
def static(name: str) -> str:
    """The text of a file in the pages folder.

    :raises FileNotFoundError: if there is none.
    """
    return (FOLDER / name).read_text(encoding="utf-8")


def _fill(name: str, **values: str) -> str:
    return Template(static(name)).substitute(values)


def _text(value: object) -> str:
    return html.escape(str(value))


def index(services: dict[str, Any]) -> str:
    """The front page: the tree of services, as productpage is configured to call them."""
    return _fill("index.html", services=_tree(services))


def _tree(node: dict[str, Any]) -> str:
    children = "".join(_tree(child) for child in node["children"])
    below = f"<ul>{children}</ul>" if children else ""
    return f"<li><b>{_text(node['endpoint'])}</b> <code>{_text(node['name'])}</code>{below}</li>"


def product(
    book: dict[str, Any],
    user: str | None,
    details: tuple[int, dict[str, Any]],
    reviews: tuple[int, dict[str, Any]],
) -> str:
    """The product page from what details and reviews answered: (status, JSON) each."""
    return _fill(
        "product.html",
        title=_text(book["title"]),
        description=book["descriptionHtml"],
        account=_account(user),
        details=_details(*details),
        reviews=_reviews(*reviews),
    )


def _account(user: str | None) -> str:
    if not user:
        return _fill("signin.html")
    return f'<span class="user">{_text(user)}</span> <a class="quiet" href="logout">Sign out</a>'


def _failure(what: str, body: dict[str, Any]) -> str:
    reason = _text(body.get("error", ""))
    return f'<div class="failure"><p>Error fetching product {what}</p><p class="quiet">{reason}</p></div>'


def _details(status: int, body: dict[str, Any]) -> str:
    if status != 200:
        return _failure("details", body)
    rows = "".join(
        f"<div><dt>{label}</dt><dd>{_text(body.get(key, ''))}</dd></div>" for label, key in FACTS
    )
    return f'<dl class="facts">{rows}</dl>'


def _reviews(status: int, body: dict[str, Any]) -> str:
    if status != 200:
        return _failure("reviews", body)
    cards = "".join(_review(entry) for entry in body.get("reviews", []))
    return f'<div class="reviews">{cards}</div>{_served_by(body)}'


def _served_by(body: dict[str, Any]) -> str:
    cluster = body.get("clustername", "null")
    where = "" if cluster == "null" else f" on cluster {_text(cluster)}"
    pod = f'<code class="pod">{_text(body.get("podname", "?"))}</code>'
    return f'<p class="served">Reviews served by: {pod}{where}</p>'


def _review(entry: dict[str, Any]) -> str:
    return _fill(
        "review.html",
        stars=_rating(entry.get("rating")),
        text=_text(entry.get("text", "")),
        reviewer=_text(entry.get("reviewer", "")),
    )


def _rating(rating: dict[str, Any] | None) -> str:
    """A row of stars in their colour, an error, or the plain statement that this version of reviews has none."""
    if not rating:
        return '<p class="stars none">no stars in this version</p>'
    if not rating.get("stars"):
        return f'<p class="stars failure">{_text(rating.get("error", ""))}</p>'
    count, color = int(rating["stars"]), _text(rating.get("color", "black"))
    row = STAR.format("") * count + HOLLOW.format(" hollow") * max(5 - count, 0)
    return (
        f'<p class="stars text-{color}-500" style="color:{color}" role="img" '
        f'aria-label="{count} of 5 stars, {color}">{row}</p>'
    )
