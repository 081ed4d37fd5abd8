"""``kubectl --as``: acting as somebody else, for those who may.

Source: Kubernetes' impersonation headers. Each header asks for the verb ``impersonate`` on what it names.
"""

from __future__ import annotations

from aiohttp import web

from meshcourse.embedded.apiserver.auth import users
from meshcourse.embedded.apiserver.auth.authorizer import Authorizer, Question
from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.status import ApiError

_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"


def resolve(request: web.BaseRequest, user: User, authorizer: Authorizer) -> User:
    """The user that a request acts as: `user`, unless it has impersonation headers.

    :raises ApiError: 403 for those who may not; 400 for groups without a user.
    """
    name = request.headers.get("Impersonate-User", "")
    groups = tuple(request.headers.getall("Impersonate-Group", ()))
    if not name:
        if groups or "Impersonate-Uid" in request.headers:
            raise status.bad_request("requested impersonation without impersonating a user name")
        return user
    for question in _questions(name, groups):
        if not authorizer.allows(user, question):
            raise _forbidden(user, question)
    if not groups:
        groups = _groups_of(name)
    if users.AUTHENTICATED not in groups and name != users.ANONYMOUS.name:
        groups = (*groups, users.AUTHENTICATED)
    return User(name, groups, request.headers.get("Impersonate-Uid", ""), _extra(request))


def _questions(name: str, groups: tuple[str, ...]) -> list[Question]:
    if name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        asked = [
            Question("impersonate", resource="serviceaccounts", namespace=namespace, name=account)
        ]
    else:
        asked = [Question("impersonate", resource="users", name=name)]
    return asked + [Question("impersonate", resource="groups", name=group) for group in groups]


def _groups_of(name: str) -> tuple[str, ...]:
    if not name.startswith(_ACCOUNT):
        return ()
    namespace = name.removeprefix(_ACCOUNT).partition(":")[0]
    return (users.SERVICE_ACCOUNTS, f"{users.SERVICE_ACCOUNTS}:{namespace}")


def _extra(request: web.BaseRequest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for header, value in request.headers.items():
        if header.lower().startswith(_EXTRA):
            found.setdefault(header.lower().removeprefix(_EXTRA), []).append(value)
    return found


def _forbidden(user: User, question: Question) -> ApiError:
    where = (
        f'in the namespace "{question.namespace}"' if question.namespace else "at the cluster scope"
    )
    return ApiError(
        403,
        "Forbidden",
        f'{question.resource} "{question.name}" is forbidden: User "{user.name}" cannot impersonate '
        f'resource "{question.resource}" in API group "" {where}',
        {"name": question.name, "kind": question.resource},
    )
