"""Key sets by URI: fetched once, kept through failures, forgotten when nobody wants them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from meshcourse.embedded.istiod.keysets import KeySets, Pace

KEYS = json.dumps({"keys": [{"kty": "RSA", "n": "x", "e": "AQAB"}]})
OTHER = json.dumps({"keys": [{"kty": "RSA", "n": "y", "e": "AQAB"}]})


class Site:
    """Answers by URI; an exception is raised, what is missing is a connection error."""

    def __init__(self, **pages: Any) -> None:
        self.pages: dict[str, Any] = pages
        self.asked: list[str] = []
        self.changes = 0

    async def fetch(self, uri: str) -> str:
        self.asked.append(uri)
        page = self.pages.get(uri, OSError("nobody there"))
        if isinstance(page, Exception):
            raise page
        return str(page)

    def changed(self) -> None:
        self.changes += 1


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, KeySets]]:
    found = Site()
    keys = KeySets(found.changed, found.fetch, Pace(refresh=0.005, retry=0.001, longest=0.002))
    yield found, keys
    await keys.stop()


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_what_is_wanted_is_fetched_and_refreshed(site: tuple[Site, KeySets]) -> None:
    found, keys = site
    found.pages = {"a": KEYS}
    assert keys.want(["a"])
    await keys.tried(5)
    assert keys.known == {"a": KEYS}
    assert not keys.want(["a"])
    found.pages["a"] = OTHER
    await until(lambda: keys.known["a"] == OTHER)
    assert found.changes == 2


async def test_an_unchanged_key_set_changes_nothing(site: tuple[Site, KeySets]) -> None:
    found, keys = site
    found.pages = {"a": KEYS}
    keys.want(["a"])
    await until(lambda: len(found.asked) > 3)
    assert found.changes == 1


async def test_failures_are_tried_again_and_forget_nothing(site: tuple[Site, KeySets]) -> None:
    found, keys = site
    keys.want(["a"])
    await keys.tried(5)
    assert keys.known == {}
    found.pages["a"] = KEYS
    await until(lambda: keys.known)
    for failure in (OSError("gone"), TimeoutError(), "not a key set", '{"keys": []}'):
        found.pages["a"] = failure
        before = len(found.asked)
        await until(lambda before=before: len(found.asked) > before + 2)
        assert keys.known == {"a": KEYS}


async def test_a_key_set_that_fails_for_too_long_is_dropped() -> None:
    found = Site(a=KEYS)
    pace = Pace(refresh=0.001, retry=0.001, longest=0.001, eviction=0.02)
    keys = KeySets(found.changed, found.fetch, pace)
    keys.want(["a"])
    await keys.tried(5)
    found.pages.clear()
    await until(lambda: not keys.known)
    await keys.stop()


async def test_discovery_documents_lead_to_keys(site: tuple[Site, KeySets]) -> None:
    found, keys = site
    document = "https://issuer/.well-known/openid-configuration"
    found.pages = {document: '{"jwks_uri": "https://issuer/keys"}', "https://issuer/keys": KEYS}
    keys.want([document])
    await keys.tried(5)
    assert keys.known == {document: KEYS}
    found.pages[document] = "{}"
    before = len(found.asked)
    await until(lambda: len(found.asked) > before + 1)
    assert keys.known == {document: KEYS}


async def test_what_nobody_wants_is_forgotten(site: tuple[Site, KeySets]) -> None:
    found, keys = site
    found.pages = {"a": KEYS, "b": OTHER}
    keys.want(["a", "b"])
    await keys.tried(5)
    keys.want(["b"])
    assert keys.known == {"b": OTHER}


async def test_waiting_for_a_slow_issuer_ends() -> None:
    async def never(_: str) -> str:
        await asyncio.Event().wait()
        return ""

    keys = KeySets(lambda: None, never)
    assert keys.want(["a"])
    await keys.tried(0.01)
    assert keys.known == {}
    await keys.stop()
