"""Online Boutique, part by part: messages on the wire, money, rates, cards, forms, redis, the load generator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from aiohttp import web

from meshcourse.embedded.images import outbound
from meshcourse.embedded.images.boutique import (
    ads,
    cart,
    catalogue,
    currency,
    forms,
    load,
    messages,
    money,
    payment,
    redis,
    resp,
    shipping,
    views,
)
from meshcourse.embedded.images.tools import redis_cli


class TestMessages:
    def test_wire_format(self) -> None:
        """Bytes worked out by hand from the numbers in upstream's proto."""
        amount = messages.make("Money", currency_code="USD", units=19, nanos=990_000_000)
        assert amount.SerializeToString() == b"\x0a\x03USD\x10\x13\x18" + b"\x80\xe7\x88\xd8\x03"
        item = messages.make("AddItemRequest", user_id="u", item={"product_id": "P", "quantity": 2})
        assert item.SerializeToString() == b"\x0a\x01u\x12\x05\x0a\x01P\x10\x02"
        order = messages.make("PlaceOrderRequest", email="e", credit_card={"credit_card_cvv": 7})
        assert order.SerializeToString() == b"\x2a\x01e\x32\x02\x10\x07"

    def test_every_method_has_its_messages(self) -> None:
        used = {
            name
            for methods in messages.SERVICES.values()
            for pair in methods.values()
            for name in pair
        }
        assert used <= set(messages.MESSAGES)
        assert {messages.of(name).DESCRIPTOR.full_name for name in messages.MESSAGES} == {
            f"hipstershop.{name}" for name in messages.MESSAGES
        }

    def test_unknown_fields_are_kept_out(self) -> None:
        with pytest.raises(ValueError):
            messages.make("Money", cents=1)


def usd(units: int, nanos: int = 0) -> Any:
    return messages.make("Money", currency_code="USD", units=units, nanos=nanos)


class TestMoney:
    def test_sums_carry(self) -> None:
        total = money.add(usd(1, 990_000_000), usd(2, 20_000_000))
        assert (total.units, total.nanos) == (4, 10_000_000)
        assert money.total(money.times(usd(8, 990_000_000), 3)) == 26_970_000_000
        assert money.times(usd(5), 0).units == 5

    def test_signs_agree(self) -> None:
        less = money.add(usd(1), usd(-2, -500_000_000))
        assert (less.units, less.nanos) == (-1, -500_000_000)

    def test_currencies_do_not_mix(self) -> None:
        with pytest.raises(ValueError, match="mismatching"):
            money.add(usd(1), messages.make("Money", currency_code="EUR", units=1))

    @pytest.mark.parametrize(
        ("code", "text"), [("USD", "$8.09"), ("EUR", "€8.09"), ("GBP", "£8.09"), ("XXX", "$8.09")]
    )
    def test_text(self, code: str, text: str) -> None:
        assert (
            money.text(messages.make("Money", currency_code=code, units=8, nanos=90_000_000))
            == text
        )


class TestCurrency:
    @pytest.mark.parametrize(
        "amount", [(19, 990_000_000), (300, 0), (0, 10_000_000), (8, 990_000_000)]
    )
    @pytest.mark.parametrize(
        ("source", "target"), [("USD", "EUR"), ("EUR", "USD"), ("USD", "JPY"), ("GBP", "IDR")]
    )
    def test_convert(self, amount: tuple[int, int], source: str, target: str) -> None:
        """Against exact arithmetic: off by less than a ten-thousandth of a unit, which floats and rounding lose."""
        units, nanos = currency.convert(*amount, source, target)
        given = Fraction(amount[0] * 10**9 + amount[1], 10**9)
        exact = (
            given / Fraction(str(currency.RATES[source])) * Fraction(str(currency.RATES[target]))
        )
        assert 0 <= nanos < 10**9
        assert abs(Fraction(units * 10**9 + nanos, 10**9) - exact) < Fraction(1, 10**4)

    def test_same_currency_loses_next_to_nothing(self) -> None:
        units, nanos = currency.convert(19, 990_000_000, "USD", "USD")
        assert abs(units * 10**9 + nanos - 19_990_000_000) < 10

    def test_33_currencies(self) -> None:
        assert len(currency.RATES) == 33
        with pytest.raises(LookupError):
            currency.convert(1, 0, "USD", "ABC")


TODAY = datetime(2026, 6, 15, tzinfo=UTC)


class TestPayment:
    @pytest.mark.parametrize(
        ("number", "kind"), [("4432-8015-6152-0454", "visa"), ("5555 5555 5555 4444", "mastercard")]
    )
    def test_accepted(self, number: str, kind: str) -> None:
        assert payment.check(number, 2026, 6, TODAY) == kind

    @pytest.mark.parametrize(
        ("number", "year", "month", "reason"),
        [
            ("4432-8015-6152-0455", 2030, 1, "Credit card info is invalid"),
            ("abcd", 2030, 1, "Credit card info is invalid"),
            ("", 2030, 1, "Credit card info is invalid"),
            (
                "378282246310005",
                2030,
                1,
                "cannot process amex credit cards. Only VISA or MasterCard",
            ),
            ("4432801561520454", 2026, 5, "Your credit card (ending 0454) expired on 5/2026"),
        ],
    )
    def test_refused(self, number: str, year: int, month: int, reason: str) -> None:
        with pytest.raises(payment.Refused) as found:
            payment.check(number, year, month, TODAY)
        assert reason in str(found.value)


class TestSmallServices:
    def test_tracking_id(self) -> None:
        letters, first, second = shipping.tracking_id("1 Mesh Street, Port Envoy, CA").split("-")
        assert (len(letters), letters.isupper(), first[:2], len(first)) == (2, True, "29", 5)
        assert (second[:2], len(second)) == ("14", 9)

    def test_ads(self) -> None:
        assert ads.choose(["kitchen"]) == ads.ADS["kitchen"]
        assert len(ads.choose([])) == len(ads.choose(["nothing"])) == ads.MOST

    def test_catalogue_is_upstreams(self) -> None:
        assert [item.id for item in catalogue.PRODUCTS] == [
            *("OLJCESPC7Z", "66VCHSJNUP", "1YMWWN1N4O", "L9ECAV7KIM", "2ZYFJ3GM2N"),
            *("0PUK6V6EV0", "LS4PSXUNUM", "9SIQT8TOJO", "6E92ZMYYFZ"),
        ]
        assert money.text(catalogue.PRODUCTS[2].price_usd) == "$109.99"
        assert all(views.drawing(item.picture.rpartition("/")[2]) for item in catalogue.PRODUCTS)

    @pytest.mark.parametrize(
        ("text", "seconds"), [("", 0), ("5.5s", 5.5), ("300ms", 0.3), ("1m1s", 61)]
    )
    def test_extra_latency(self, text: str, seconds: float) -> None:
        assert catalogue.latency(text) == pytest.approx(seconds)

    def test_extra_latency_that_is_none(self) -> None:
        with pytest.raises(SystemExit, match="EXTRA_LATENCY"):
            catalogue.latency("soon")


ORDER = {
    "email": "someone@example.com",
    "street_address": "1 Mesh Street",
    "zip_code": "12345",
    "city": "Port Envoy",
    "state": "CA",
    "country": "Nowhere",
    "credit_card_number": "4432-8015-6152-0454",
    "credit_card_expiration_month": "1",
    "credit_card_expiration_year": "2039",
    "credit_card_cvv": "672",
}


class TestForms:
    def test_item(self) -> None:
        assert forms.item({"product_id": "P", "quantity": "10"}) == ("P", 10)

    @pytest.mark.parametrize(
        ("form", "problem"),
        [
            ({}, "Field 'Quantity' is invalid: required\nField 'ProductID' is invalid: required"),
            ({"product_id": "P", "quantity": "11"}, "Field 'Quantity' is invalid: lte"),
            ({"product_id": "P", "quantity": "-1"}, "Field 'Quantity' is invalid: required"),
        ],
    )
    def test_items_refused(self, form: dict[str, str], problem: str) -> None:
        with pytest.raises(forms.Invalid) as found:
            forms.item(form)
        assert str(found.value) == problem

    def test_order(self) -> None:
        order = forms.order(ORDER)
        messages.make("PlaceOrderRequest", **order)
        assert order["address"]["zip_code"] == 12345
        assert order["credit_card"]["credit_card_expiration_year"] == 2039

    @pytest.mark.parametrize(
        ("field", "value", "problem"),
        [
            ("email", "nobody", "'Email' is invalid: email"),
            ("email", "", "'Email' is invalid: required"),
            ("city", "x" * 129, "'City' is invalid: max"),
            ("credit_card_number", "1234", "'CcNumber' is invalid: credit_card"),
            ("credit_card_expiration_month", "13", "'CcMonth' is invalid: lte"),
            ("zip_code", "none", "'ZipCode' is invalid: required"),
        ],
    )
    def test_orders_refused(self, field: str, value: str, problem: str) -> None:
        with pytest.raises(forms.Invalid, match=problem):
            forms.order(ORDER | {field: value})

    def test_currency(self) -> None:
        assert forms.currency({"currency_code": "EUR"}) == "EUR"
        for bad in ("", "euro", "<b>"):
            with pytest.raises(forms.Invalid):
                forms.currency({"currency_code": bad})


class TestRedis:
    def ask(self, store: redis.Store, *words: str) -> bytes:
        return resp.encode(store.run([word.encode() for word in words]))

    def test_strings(self) -> None:
        store = redis.Store()
        assert self.ask(store, "PING") == b"+PONG\r\n"
        assert self.ask(store, "GET", "k") == b"$-1\r\n"
        assert self.ask(store, "SET", "k", "v\r\n") == b"+OK\r\n"
        assert self.ask(store, "get", "k") == b"$3\r\nv\r\n\r\n"
        assert self.ask(store, "INCR", "n") == b":1\r\n"
        assert self.ask(store, "KEYS", "*") == b"*2\r\n$1\r\nk\r\n$1\r\nn\r\n"
        assert self.ask(store, "DEL", "k", "x") == b":1\r\n"
        assert self.ask(store, "EXISTS", "k", "n") == b":1\r\n"

    def test_hashes(self) -> None:
        store = redis.Store()
        assert self.ask(store, "HSET", "h", "a", "1", "b", "2") == b":2\r\n"
        assert self.ask(store, "HMGET", "h", "a", "z") == b"*2\r\n$1\r\n1\r\n$-1\r\n"
        assert self.ask(store, "HGETALL", "h").count(b"$1") == 4
        assert self.ask(store, "GET", "h").startswith(b"-WRONGTYPE")

    def test_expiry(self) -> None:
        now = [0.0]
        store = redis.Store(clock=lambda: now[0])
        self.ask(store, "SET", "k", "v", "EX", "10")
        assert self.ask(store, "TTL", "k") == b":10\r\n"
        now[0] = 10
        assert self.ask(store, "GET", "k") == b"$-1\r\n"
        assert self.ask(store, "TTL", "k") == b":-2\r\n"

    def test_mistakes(self) -> None:
        store = redis.Store()
        assert self.ask(store, "FLY") == b"-ERR unknown command 'FLY'\r\n"
        assert self.ask(store, "GET").startswith(b"-ERR wrong number of arguments for 'get'")
        self.ask(store, "SET", "k", "v")
        assert self.ask(store, "INCR", "k").startswith(b"-ERR value is not an integer")

    @pytest.fixture
    async def port(self) -> AsyncIterator[int]:
        store = redis.Store()
        server = await asyncio.start_server(lambda r, w: redis.talk(store, r, w), "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()

    async def test_over_a_socket(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PING\r\n" + resp.command("SET", "k", b"\x00\xff") + resp.command("GET", "k"))
        assert [await resp.read(reader) for _ in range(3)] == [b"PONG", b"OK", b"\x00\xff"]
        writer.write(b"*1\r\n:1\r\n")
        answer = await resp.read(reader)
        assert isinstance(answer, resp.CommandError)
        assert "Protocol error" in str(answer)
        writer.close()

    async def test_baskets(self, port: int) -> None:
        store = cart.Redis(f"127.0.0.1:{port}")
        assert await store.get("u") is None
        await store.set("u", b"\x0a\x01u")
        assert await store.get("u") == b"\x0a\x01u"
        # The connection dies, as when a sidecar restarts: the next command opens a new one.
        assert store._streams is not None
        store._streams[1].transport.abort()
        assert await store.get("u") == b"\x0a\x01u"
        store.close()

    async def test_connections_end_and_begin_again(
        self, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cart, "MAX_AGE", 0.01)
        store = cart.Redis(f"127.0.0.1:{port}")
        await store.set("u", b"basket")
        async with asyncio.timeout(10):
            while store._streams is not None:
                await asyncio.sleep(0.005)
        async with store._lock:  # a question under way keeps its connection
            store._streams = await outbound.connect("127.0.0.1", port)
            store._retire(store._streams[1])
            assert store._streams is not None
        assert await store.get("u") == b"basket"
        store.close()

    async def test_no_redis(self, unused_tcp_port: int) -> None:
        store = cart.Redis(f"127.0.0.1:{unused_tcp_port}")
        with pytest.raises(cart.StoreError):
            await store.get("u")
        with pytest.raises(outbound.Unreachable):
            await redis_cli.ask("127.0.0.1", unused_tcp_port, ["PING"])

    async def test_cli(self, port: int) -> None:
        host, wanted, words = redis_cli.arguments(
            ["redis-cli", "-h", "127.0.0.1", "-p", str(port), "KEYS", "*"]
        )
        assert redis_cli.render(await redis_cli.ask(host, wanted, words)) == "(empty array)"
        await redis_cli.ask(host, wanted, ["SET", "k", "v"])
        answer = await redis_cli.ask(host, wanted, words)
        assert (redis_cli.render(answer), redis_cli.raw(answer)) == ('1) "k"', "k")
        with pytest.raises(ValueError):
            redis_cli.arguments(["redis-cli", "--cluster"])

    async def test_store_by_environment(self) -> None:
        assert isinstance(cart.store_of({}), cart.Memory)
        assert isinstance(cart.store_of({"REDIS_ADDR": "redis-cart:6379"}), cart.Redis)


class TestLoadGenerator:
    def test_cards_and_orders_are_accepted(self) -> None:
        for _ in range(50):
            forms.order({name: str(value) for name, value in load.order().items()})
            assert payment.kind(load.card()) == "visa"

    async def test_visitors(self, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        async def answer(request: web.Request) -> web.Response:
            response = web.Response(text="page", status=500 if request.path == "/cart" else 200)
            response.set_cookie("shop_session-id", "s1")
            return response

        monkeypatch.setattr(load, "WAIT", (0.0, 0.001))
        shop = await backend(answer=answer)
        stopped = asyncio.Event()
        env = {"FRONTEND_ADDR": f"127.0.0.1:{shop.port}", "USERS": "3", "RATE": "100"}
        running = asyncio.create_task(load.run(env, stopped))
        async with asyncio.timeout(10):
            paths: list[str] = []
            # With three visitors the first of four orders has been answered and counted.
            while len(set(paths)) < 12 or paths.count("/cart/checkout") < 4:
                await asyncio.sleep(0.01)
                paths = [request.path for request in shop.requests]
        stopped.set()
        figures = await running
        assert figures.requests["GET /product"] > figures.requests["POST /cart/checkout"] > 0
        assert figures.failures["GET /cart"] == figures.requests["GET /cart"]
        assert figures.line().startswith(f"requests {figures.requests.total()} failures ")
        cookies = [request.cookies.get("shop_session-id") for request in shop.requests]
        assert cookies.count(None) <= 3
        [order] = [request for request in shop.requests if request.path == "/cart/checkout"][:1]
        assert order.method == "POST"
