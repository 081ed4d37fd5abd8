"""Who makes a request: a bearer token, a client certificate, or nobody.

Source: Kubernetes authentication strategies. A credential that is wrong is 401; none at all is ``system:anonymous``,
whom authorization sends away.
"""

from __future__ import annotations

import hmac
from typing import Any

from aiohttp import web

from meshcourse.embedded.apiserver.auth import users
from meshcourse.embedded.apiserver.auth.tokens import (
    ISSUER,
    Binding,
    InvalidToken,
    TokenIssuer,
    binding_of,
)
from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object

_PREFIX = "authentication.kubernetes.io/"


class Authenticator:
    """Static tokens, service account tokens, certificates signed by the cluster's CA."""

    def __init__(self, store: Store, tokens: TokenIssuer, static: dict[str, User]) -> None:
        self._store = store
        self._tokens = tokens
        self._static = static

    def authenticate(self, request: web.BaseRequest) -> User:
        """:raises ApiError: 401 for a credential that is not valid."""
        header = request.headers.get("Authorization", "")
        if header:
            scheme, _, token = header.partition(" ")
            user = self.by_token(token.strip()) if scheme.lower() == "bearer" else None
            if user is None:
                raise status.unauthorized()
            return user
        return _by_certificate(request) or users.ANONYMOUS

    def by_token(self, token: str) -> User | None:
        """The user of a token that is good for this API server, else None."""
        user = self.static_user(token)
        if user is not None:
            return user
        found = self.review(token, [ISSUER])
        return found[0] if found else None

    def static_user(self, token: str) -> User | None:
        """The user of a token that was made with the cluster (the administrator's), else None."""
        for known, user in self._static.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return user
        return None

    def review(self, token: str, audiences: list[str]) -> tuple[User, list[str]] | None:
        """The service account of a token and the audiences that it shares with those asked for."""
        try:
            claims = self._tokens.verify(token)
        except InvalidToken:
            return None
        common = [found for found in claims["aud"] if found in audiences]
        binding = binding_of(claims)
        if not common or not self._alive(binding):
            return None
        return _user(binding, claims), common

    def _alive(self, binding: Binding) -> bool:
        """A token dies with its service account and with the pod that it is bound to."""
        account = (refs.SERVICEACCOUNTS, binding.name, binding.uid)
        bound = [account]
        if binding.pod:
            bound.append((refs.PODS, binding.pod, binding.pod_uid))
        if binding.secret:
            bound.append((refs.SECRETS, binding.secret, binding.secret_uid))
        for resource, name, uid in bound:
            found = self._store.get(resource.qualified, binding.namespace, name)
            if found is None or objects.uid(found) != uid:
                return False
        return True


def _user(binding: Binding, claims: Object) -> User:
    extra: dict[str, list[str]] = {_PREFIX + "credential-id": [f"JTI={claims['jti']}"]}
    if binding.node:
        extra[_PREFIX + "node-name"] = [binding.node]
    if binding.pod:
        extra[_PREFIX + "pod-name"] = [binding.pod]
        extra[_PREFIX + "pod-uid"] = [binding.pod_uid]
    return users.service_account(binding.namespace, binding.name, binding.uid, extra)


def _by_certificate(request: web.BaseRequest) -> User | None:
    """Common name and organisations of a certificate that TLS has verified."""
    peer: Any = request.transport and request.transport.get_extra_info("peercert")
    if not peer:
        return None
    subject = [pair for part in peer.get("subject", ()) for pair in part]
    name = next((value for field, value in subject if field == "commonName"), "")
    groups = [value for field, value in subject if field == "organizationName"]
    return User(name, (*groups, users.AUTHENTICATED)) if name else None
