"""Who is calling: service-account tokens checked by the API server (TokenReview)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istiod.ca import identity
from meshcourse.embedded.istiod.ca.identity import Identity
from meshcourse.embedded.kube import objects, refs

#: The audience of tokens that sidecars present (``global.sds.token.aud``).
AUDIENCE = "istio-ca"
_REMEMBER = 5.0  # seconds; a sidecar that tries again at once need not be looked up again


class Unauthenticated(Exception):
    """The caller could not prove who it is; the text says why, for istiod's log only."""


class TokenReviewer:
    """Asks the API server about tokens.

    :param clock: monotonic seconds.
    """

    def __init__(
        self, client: Client, trust_domain: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._trust_domain = trust_domain
        self._clock = clock
        self._known: dict[bytes, tuple[float, Identity]] = {}

    async def identify(self, token: str) -> Identity:
        """The identity behind a token.

        :raises Unauthenticated: if the token is not valid, not meant for us, or not a service account's.
        """
        now = self._clock()
        self._known = {k: v for k, v in self._known.items() if v[0] > now}
        digest = hashlib.sha256(token.encode()).digest()
        if digest in self._known:
            return self._known[digest][1]
        found = await self._review(token)
        self._known[digest] = (now + _REMEMBER, found)
        return found

    async def _review(self, token: str) -> Identity:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        answer = await self._client.create(refs.TOKEN_REVIEWS, review)
        if not objects.dig(answer, "status.authenticated", False):
            why = objects.dig(answer, "status.error", "token is not valid")
            raise Unauthenticated(f"the service account authentication returns an error: {why}")
        if AUDIENCE not in objects.dig(answer, "status.audiences", []):
            raise Unauthenticated(f"the token is not meant for {AUDIENCE}")
        username = objects.dig(answer, "status.user.username", "")
        found = identity.of_user(username, self._trust_domain)
        if found is None:
            raise Unauthenticated(f"{username!r} is not a service account")
        return found
