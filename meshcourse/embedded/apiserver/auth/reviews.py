"""The APIs that answer who somebody is and what somebody may do.

Source: ``authentication.k8s.io/v1`` and ``authorization.k8s.io/v1``.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.auth.authenticator import Authenticator
from meshcourse.embedded.apiserver.auth.authorizer import Question
from meshcourse.embedded.apiserver.auth.tokens import ISSUER
from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import virtual
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import Cause


def _answer(call: Call, body: Object, state: Object) -> Object:
    meta = {**(body.get("metadata") or {}), "creationTimestamp": objects.now()}
    return {
        "kind": call.resource.kind,
        "apiVersion": call.resource.api_version,
        "metadata": meta,
        "spec": body.get("spec") or {},
        "status": state,
    }


class SelfSubjectReviews(virtual.Virtual):
    """``kubectl auth whoami``."""

    async def create(self, core: Core, call: Call, body: Object) -> Object:
        answer = _answer(call, body, {"userInfo": call.user.info()})
        del answer["spec"]
        return answer


class TokenReviews(virtual.Virtual):
    """Is this token good, and whose is it? Istio's control plane asks for every proxy."""

    async def create(self, core: Core, call: Call, body: Object) -> Object:
        spec = body.get("spec") or {}
        token = spec.get("token") or ""
        if not token:
            return _answer(call, body, {"user": {}, "error": "[invalid bearer token]"})
        authenticator: Authenticator = core.authenticator
        audiences = list(spec.get("audiences") or ()) or [ISSUER]
        known = authenticator.static_user(token)
        found = (known, audiences) if known else authenticator.review(token, audiences)
        if found is None:
            error = "[invalid bearer token, token has expired or does not match the audiences]"
            return _answer(call, body, {"user": {}, "error": error})
        user, common = found
        state = {"authenticated": True, "user": user.info(), "audiences": common}
        return _answer(call, body, state)


class AccessReviews(virtual.Virtual):
    """SubjectAccessReview, LocalSubjectAccessReview and SelfSubjectAccessReview."""

    async def create(self, core: Core, call: Call, body: Object) -> Object:
        spec = body.get("spec") or {}
        question = _question(call, spec)
        user = call.user if call.resource.kind.startswith("Self") else _subject(call, spec)
        return _answer(call, body, {"allowed": core.authorizer.allows(user, question)})


def _question(call: Call, spec: Object) -> Question:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if bool(resource) == bool(path):
        text = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise status.invalid(
            call.resource, "", [Cause("FieldValueInvalid", text, "spec.resourceAttributes")]
        )
    if path:
        return Question(path.get("verb", ""), path=path.get("path", ""))
    found = resource or {}
    return Question(
        found.get("verb", ""),
        found.get("group", ""),
        found.get("resource", ""),
        found.get("subresource", ""),
        found.get("namespace", ""),
        found.get("name", ""),
    )


def _subject(call: Call, spec: Object) -> User:
    if not spec.get("user") and not spec.get("groups"):
        text = 'Invalid value: "": at least one of user or group must be specified'
        raise status.invalid(call.resource, "", [Cause("FieldValueInvalid", text, "spec.user")])
    return User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))


class RulesReviews(virtual.Virtual):
    """``kubectl auth can-i --list``."""

    async def create(self, core: Core, call: Call, body: Object) -> Object:
        namespace = objects.dig(body, "spec.namespace", "")
        rules = list(core.authorizer.rules(call.user, namespace))
        state = {
            "resourceRules": [rule for rule in rules if not rule.get("nonResourceURLs")],
            "nonResourceRules": [rule for rule in rules if rule.get("nonResourceURLs")],
            "incomplete": False,
        }
        return _answer(call, body, state)
