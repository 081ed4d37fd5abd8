"""One request from its first byte to its answer: who, what, may they, do it, render it."""

from __future__ import annotations

import logging

from aiohttp import web

from meshcourse.embedded.apiserver.auth import impersonation
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.http import documents, negotiate, paths, resources
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.status import ApiError

_log = logging.getLogger(__name__)
_VERBS = {"GET": "get", "HEAD": "get", "POST": "post", "PUT": "put", "PATCH": "patch"}


class Handler:
    """The only route of the server."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request; whatever goes wrong becomes a Status."""
        try:
            return await self._handle(request)
        except ApiError as error:
            return negotiate.json_response(error.to_status(), error.code)
        except web.HTTPException:
            raise
        except ConnectionError:
            raise
        except Exception as error:
            _log.exception("%s %s failed", request.method, request.path)
            failure = status.internal(f"{type(error).__name__}: {error}")
            return negotiate.json_response(failure.to_status(), failure.code)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        user = self._core.authenticator.authenticate(request)
        user = impersonation.resolve(request, user, self._core.authorizer)
        target = paths.parse(request.rel_url.raw_path)
        if target is not None and target.plural:
            return await resources.answer(self._core, request, user, target)
        verb = _VERBS.get(request.method, request.method.lower())
        self._core.authorizer.check_path(user, verb, request.path)
        return documents.answer(self._core, request)
