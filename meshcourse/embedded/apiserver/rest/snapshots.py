"""Consistent paging: the rest of a list is kept until its pages have been fetched.

Objects are immutable in the store, so a snapshot is a list of references. Source: Kubernetes API concepts
("Retrieving large results sets in chunks"): a token expires after about five minutes with 410.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object

_LIFETIME = 300.0
_MOST = 64


@dataclass(frozen=True, slots=True)
class _Rest:
    items: list[Object]
    revision: str
    expires: float


class Snapshots:
    """The unread rests of lists by continue token."""

    def __init__(self) -> None:
        self._rests: OrderedDict[str, _Rest] = OrderedDict()

    def keep(self, items: list[Object], revision: str) -> str:
        """Remember the rest of a list; returns its token."""
        token = uuid.uuid4().hex
        self._rests[token] = _Rest(items, revision, time.monotonic() + _LIFETIME)
        while len(self._rests) > _MOST:
            self._rests.popitem(last=False)
        return token

    def take(self, token: str) -> tuple[list[Object], str]:
        """The rest that belongs to a token, and the revision of the whole list. A token may be used again.

        :raises ApiError: 410 if the token is unknown or too old.
        """
        rest = self._rests.get(token)
        if rest is None or rest.expires < time.monotonic():
            raise status.gone(
                "The provided continue parameter is too old to display a consistent list result. "
                "You must start a new list without the continue parameter."
            )
        return rest.items, rest.revision
