"""Key sets of token issuers (``jwksUri`` of RequestAuthentications): fetched, kept, and fetched again.

Source: pilot's JWKS resolver: istiod fetches the keys and sends them along, so that proxies need no way
to the issuer; every 20 minutes anew (``PILOT_JWT_PUB_KEY_REFRESH_INTERVAL``); a key set that was once
there outlives failures for a week; without ``jwksUri`` the issuer's OpenID discovery document says where
the keys are. While a key set cannot be had, tokens of that issuer are refused. Unlike pilot, which
pauses for a minute after a failure, we try again after a second first: issuers of a course start late.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import aiohttp

from meshcourse.embedded.istio.build import jwt
from meshcourse.errors import MeshcourseError

log = logging.getLogger("jwks")

#: The body of a GET. :raises OSError, aiohttp.ClientError, TimeoutError:
Fetch = Callable[[str], Awaitable[str]]
_LARGEST = 1 << 20


class KeySetError(MeshcourseError):
    """What an issuer publishes cannot be used."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds.

    :param refresh: between successful fetches.
    :param retry: the first pause after a failure, which doubles up to `longest`.
    :param eviction: how long a key set is used that can no longer be fetched.
    """

    refresh: float = 20 * 60.0
    retry: float = 1.0
    longest: float = 60.0
    eviction: float = 7 * 24 * 3600.0


class KeySets:
    """Keeps what is wanted.

    :param changed: called when `known` has become another.
    """

    def __init__(
        self, changed: Callable[[], None], fetch: Fetch | None = None, pace: Pace | None = None
    ) -> None:
        #: Key sets (JSON) by URI; another object whenever anything changed.
        self.known: Mapping[str, str] = {}
        self._changed = changed
        self._fetch = fetch or _get
        self._pace = pace or Pace()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tried: dict[str, asyncio.Event] = {}

    def want(self, uris: Iterable[str]) -> bool:
        """Fetch these and no others; whether one of them is new."""
        wanted = set(uris)
        for uri in [one for one in self._tasks if one not in wanted]:
            self._tasks.pop(uri).cancel()
            del self._tried[uri]
            self._set(uri, None)
        fresh = wanted - self._tasks.keys()
        for uri in fresh:
            self._tried[uri] = asyncio.Event()
            self._tasks[uri] = asyncio.create_task(self._keep(uri), name=f"key set {uri}")
        return bool(fresh)

    async def tried(self, patience: float) -> None:
        """Return when everything has been tried once, or after `patience` seconds."""
        waiting = [one.wait() for one in self._tried.values()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await asyncio.gather(*waiting)

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _keep(self, uri: str) -> None:
        """For ever: fetch, wait."""
        pause, fetched_at = self._pace.retry, time.monotonic()
        while True:
            try:
                self._set(uri, await self._resolve(uri))
            except (OSError, aiohttp.ClientError, TimeoutError, KeySetError) as error:
                log.warning("Failed to fetch public key from %r: %s", uri, error or "timeout")
                if time.monotonic() - fetched_at > self._pace.eviction:
                    self._set(uri, None)
                wait, pause = pause, min(pause * 2, self._pace.longest)
            else:
                wait, pause, fetched_at = self._pace.refresh, self._pace.retry, time.monotonic()
            self._tried[uri].set()
            await asyncio.sleep(wait)

    async def _resolve(self, uri: str) -> str:
        """The key set at `uri`, which may be an issuer's discovery document.

        :raises KeySetError: if there are no keys.
        """
        text = await self._fetch(uri)
        if uri.endswith(jwt.DISCOVERY):
            text = await self._fetch(_advertised(text))
        if not jwt.usable(text):
            raise KeySetError("no key set with a public key")
        return text

    def _set(self, uri: str, text: str | None) -> None:
        if self.known.get(uri) == text:
            return
        self.known = {key: one for key, one in {**self.known, uri: text}.items() if one is not None}
        self._changed()


def _advertised(text: str) -> str:
    """``jwks_uri`` of a discovery document."""
    try:
        return str(json.loads(text)["jwks_uri"])
    except (ValueError, KeyError, TypeError) as error:
        raise KeySetError("no jwks_uri in the discovery document") from error


async def _get(uri: str) -> str:
    """One GET; names of Services are resolved by the node's forward proxy (environment)."""
    timeout = aiohttp.ClientTimeout(total=5.0)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.get(uri) as response,
    ):
        response.raise_for_status()
        return (await response.content.read(_LARGEST)).decode(errors="replace")
