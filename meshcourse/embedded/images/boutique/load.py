"""loadgenerator: visitors who look around, fill baskets and buy, for ever; a line of figures every ten seconds.

Behaviour and weights are those of upstream's locust file; people and addresses are invented here.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from meshcourse.embedded.images import common, outbound

PRODUCTS = (
    *("0PUK6V6EV0", "1YMWWN1N4O", "2ZYFJ3GM2N", "66VCHSJNUP", "6E92ZMYYFZ"),
    *("9SIQT8TOJO", "L9ECAV7KIM", "LS4PSXUNUM", "OLJCESPC7Z"),
)
CURRENCIES = ("EUR", "USD", "JPY", "CAD", "GBP", "TRY")
#: Seconds between two things that a visitor does.
WAIT = (1.0, 10.0)
#: Seconds between two lines of figures.
REPORT = 10.0
#: Seconds that a page gets.
TIMEOUT = 30.0


class Figures:
    """What all visitors together have seen."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.seconds = 0.0

    def add(self, name: str, took: float, failed: bool) -> None:
        """Count one request."""
        self.requests[name] += 1
        self.failures[name] += failed
        self.seconds += took

    def line(self) -> str:
        """One line about all of them."""
        count = self.requests.total()
        mean = 1000 * self.seconds / count if count else 0.0
        return f"requests {count} failures {self.failures.total()} mean {mean:.0f}ms"


class Visitor:
    """One visitor with cookies of their own."""

    def __init__(self, base: str, proxy: str | None, figures: Figures) -> None:
        self._base = base
        self._proxy = proxy
        self._figures = figures
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of hosts without a dot, too
        self._session = aiohttp.ClientSession(
            cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=TIMEOUT)
        )

    async def close(self) -> None:
        """Leave."""
        await self._session.close()

    async def _ask(self, method: str, path: str, form: Mapping[str, object] | None = None) -> None:
        began, failed = time.monotonic(), True
        try:
            async with self._session.request(
                method, self._base + path, data=form, proxy=self._proxy
            ) as response:
                await response.read()
                failed = response.status >= 400
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        self._figures.add(
            f"{method} {path.partition('/product/')[0] or '/product'}",
            time.monotonic() - began,
            failed,
        )

    async def index(self) -> None:
        """The home page."""
        await self._ask("GET", "/")

    async def set_currency(self) -> None:
        """Another currency."""
        await self._ask("POST", "/setCurrency", {"currency_code": random.choice(CURRENCIES)})

    async def browse(self) -> None:
        """A product's page."""
        await self._ask("GET", f"/product/{random.choice(PRODUCTS)}")

    async def view_cart(self) -> None:
        """The basket."""
        await self._ask("GET", "/cart")

    async def add_to_cart(self) -> None:
        """A product's page, and some of it into the basket."""
        product = random.choice(PRODUCTS)
        await self._ask("GET", f"/product/{product}")
        await self._ask("POST", "/cart", {"product_id": product, "quantity": random.randint(1, 10)})

    async def checkout(self) -> None:
        """Something into the basket, and the order."""
        await self.add_to_cart()
        await self._ask("POST", "/cart/checkout", order())

    async def live(self, stopped: asyncio.Event) -> None:
        """The home page, then one thing after another."""
        await self.index()
        while not stopped.is_set():
            try:
                await asyncio.wait_for(stopped.wait(), random.uniform(*WAIT))
            except TimeoutError:
                await self._next()()

    def _next(self) -> Callable[[], Awaitable[None]]:
        actions = [
            self.index,
            self.set_currency,
            self.browse,
            self.add_to_cart,
            self.view_cart,
            self.checkout,
        ]
        return random.choices(actions, weights=[1, 2, 10, 2, 3, 1])[0]


def card() -> str:
    """A Visa number with the right check digit, of no account."""
    digits = [4, *(random.randrange(10) for _ in range(14))]
    doubled = [
        sum(divmod(2 * digit, 10)) if index % 2 == 0 else digit
        for index, digit in enumerate(digits)
    ]
    return "".join(map(str, [*digits, -sum(doubled) % 10]))


def order() -> dict[str, object]:
    """A filled-in order form."""
    year = datetime.now(UTC).year + 1
    return {
        "email": f"visitor{random.randrange(10_000)}@example.com",
        "street_address": f"{random.randint(1, 200)} Mesh Street",
        "zip_code": random.randint(10_000, 99_999),
        "city": random.choice(("Proxyville", "Port Envoy", "Sidecar Springs")),
        "state": random.choice(("CA", "NY", "TX", "WA")),
        "country": "Nowhere",
        "credit_card_number": card(),
        "credit_card_expiration_month": random.randint(1, 12),
        "credit_card_expiration_year": random.randint(year, year + 70),
        "credit_card_cvv": random.randint(100, 999),
    }


async def _report(figures: Figures) -> None:
    while True:
        await asyncio.sleep(REPORT)
        common.say(figures.line())


async def run(env: Mapping[str, str], stopped: asyncio.Event) -> Figures:
    """USERS visitors, RATE more of them every second, until `stopped`."""
    base = f"http://{env.get('FRONTEND_ADDR') or 'frontend:80'}"
    proxy = outbound.Proxies.from_environment(env).of("http", urlsplit(base).hostname or "")
    users, rate = int(env.get("USERS") or 10), float(env.get("RATE") or 1)
    figures = Figures()
    visitors: list[Visitor] = []
    lives: list[asyncio.Task[None]] = []
    reporting = asyncio.create_task(_report(figures))
    common.say(f"{users} visitors for {base}, {rate:g} more each second")
    try:
        while not stopped.is_set():
            if len(visitors) < users:
                visitors.append(Visitor(base, proxy, figures))
                lives.append(asyncio.create_task(visitors[-1].live(stopped)))
            try:
                await asyncio.wait_for(stopped.wait(), 1 / rate if len(visitors) < users else None)
            except TimeoutError:
                continue
    finally:
        reporting.cancel()
        for life in lives:
            life.cancel()
        await asyncio.gather(reporting, *lives, return_exceptions=True)
        for visitor in visitors:
            await visitor.close()
    return figures


async def _serve() -> None:
    stopped = asyncio.Event()
    running = asyncio.create_task(run(os.environ, stopped))
    await common.until_stopped()
    stopped.set()
    common.say((await running).line())


def main(argv: list[str]) -> int:
    """Image microservices-demo/loadgenerator."""
    return common.run(_serve)
