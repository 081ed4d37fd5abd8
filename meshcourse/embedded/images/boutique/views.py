"""frontend's HTML, made of the templates beside it. Pure but for reading them once."""

from __future__ import annotations

import functools
import html
import importlib.resources
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template
from typing import Any

from meshcourse.embedded.images.boutique import money, shop

_HERE = importlib.resources.files(__package__)
STATIC = {"style.css": "text/css", "mark.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its content."""

    currency: str
    session: str
    request_id: str
    pod: str
    currencies: tuple[str, ...] = ()
    cart_size: int = 0
    banner: str = ""
    message: str = ""


@functools.cache
def static(name: str) -> str:
    """The text of a file in the pages folder.

    :raises FileNotFoundError: if there is none.
    """
    return (_HERE / "pages" / name).read_text(encoding="utf-8")


@functools.cache
def drawing(name: str) -> str | None:
    """A product's picture, as SVG; None if there is none of that name."""
    names = {path.name for path in (_HERE / "products").iterdir()}
    return (_HERE / "products" / name).read_text(encoding="utf-8") if name in names else None


def _fill(name: str, /, **values: str) -> str:
    return Template(static(name)).substitute(values)


def _text(value: object) -> str:
    return html.escape(str(value))


def page(frame: Frame, content: str, title: str = "Online Boutique") -> str:
    """A page around its content."""
    return _fill(
        "frame.html",
        title=_text(title),
        banner=f' style="background:{_text(frame.banner)}"' if frame.banner else "",
        message=f'<p class="message">{_text(frame.message)}</p>' if frame.message else "",
        currencies=_currencies(frame),
        count=str(frame.cart_size),
        content=content,
        session=_text(frame.session),
        request_id=_text(frame.request_id),
        pod=_text(frame.pod),
    )


def _currencies(frame: Frame) -> str:
    if not frame.currencies:
        return ""
    options = "".join(
        f'<option value="{code}"{" selected" if code == frame.currency else ""}>{code}</option>'
        for code in frame.currencies
    )
    return _fill("currencies.html", options=options)


def home(products: list[tuple[Any, Any]], ad: Any | None) -> str:
    """Every product with its price."""
    cards = "".join(_card(item, money.text(price)) for item, price in products)
    return _fill("home.html", products=cards, ad=_ad(ad))


def _card(item: Any, price: str) -> str:
    return _fill(
        "card.html",
        id=_text(item.id),
        name=_text(item.name),
        picture=_text(item.picture),
        price=_text(price),
    )


def product(item: Any, price: Any, recommended: list[Any], ad: Any | None) -> str:
    """One product."""
    return _fill(
        "product.html",
        id=_text(item.id),
        name=_text(item.name),
        picture=_text(item.picture),
        price=_text(money.text(price)),
        description=_text(item.description),
        recommended=_recommended(recommended),
        ad=_ad(ad),
    )


def _ad(ad: Any | None) -> str:
    if ad is None:
        return ""
    return (
        f'<p class="ad"><span>Ad</span> <a href="{_text(ad.redirect_url)}">{_text(ad.text)}</a></p>'
    )


def _recommended(items: list[Any]) -> str:
    if not items:
        return ""
    cards = "".join(_card(item, "") for item in items)
    return f'<h2>You may also like</h2><div class="grid small">{cards}</div>'


def cart(lines: list[shop.Line], shipping: Any, total: Any, recommended: list[Any]) -> str:
    """The basket, with the form for an order; or that it is empty."""
    if not lines:
        return _fill("empty.html", recommended=_recommended(recommended))
    year = datetime.now(UTC).year
    return _fill(
        "cart.html",
        lines="".join(_line(line) for line in lines),
        shipping=_text(money.text(shipping)),
        total=_text(money.text(total)),
        months="".join(f"<option>{month}</option>" for month in range(1, 13)),
        years="".join(f"<option>{year + later}</option>" for later in range(1, 6)),
        recommended=_recommended(recommended),
    )


def _line(line: shop.Line) -> str:
    return _fill(
        "line.html",
        id=_text(line.product.id),
        name=_text(line.product.name),
        picture=_text(line.product.picture),
        quantity=str(line.quantity),
        price=_text(money.text(line.price)),
    )


def order(placed: Any, paid: Any, recommended: list[Any]) -> str:
    """An order that went through."""
    return _fill(
        "order.html",
        order_id=_text(placed.order_id),
        tracking_id=_text(placed.shipping_tracking_id),
        paid=_text(money.text(paid)),
        recommended=_recommended(recommended),
    )


def error(status: int, phrase: str, reason: str) -> str:
    """Something failed, and what."""
    return _fill("error.html", status=str(status), phrase=_text(phrase), reason=_text(reason))
