"""``admission.k8s.io`` AdmissionReview: the question to a webhook and the reading of its answer."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.admission.hooks import Hook
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

SUPPORTED: Final = ("v1", "v1beta1")
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


class BadAnswer(Exception):
    """The webhook's answer is not what the protocol asks for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook decided. `patch` is a list of JSON patch operations."""

    allowed: bool
    status: Object = field(default_factory=dict)
    patch: list[Any] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def question(hook: Hook, attributes: Attributes, seen: Kind) -> Object:
    """The review to send. Objects go in the version that the hook matched.

    :raises BadAnswer: if hook and server have no version of the protocol in common.
    """
    version = next((found for found in hook.versions if found in SUPPORTED), None)
    if version is None:
        raise BadAnswer("webhook does not accept any known AdmissionReview versions (v1, v1beta1)")
    call = attributes.call
    request: Object = {
        "uid": str(uuid.uuid4()),
        "kind": _kind(seen.resource),
        "resource": _resource(seen.resource),
        "requestKind": _kind(call.resource),
        "requestResource": _resource(call.resource),
        "name": attributes.name,
        "namespace": call.namespace,
        "operation": attributes.operation,
        "userInfo": call.user.info(),
        "object": _in_version(attributes.object, seen),
        "oldObject": _in_version(attributes.old, seen),
        "dryRun": call.options.dry_run,
        "options": _options(attributes),
    }
    if call.subresource:
        request |= {"subResource": call.subresource, "requestSubResource": call.subresource}
    request = {name: value for name, value in request.items() if value != ""}
    return {
        "kind": "AdmissionReview",
        "apiVersion": f"admission.k8s.io/{version}",
        "request": request,
    }


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _resource(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def _in_version(obj: Object | None, seen: Kind) -> Object | None:
    """Custom kinds convert by name only, and no other kind with two versions has webhooks here."""
    if obj is None or obj.get("kind") != seen.resource.kind:
        return obj
    return {**obj, "apiVersion": seen.resource.api_version}


def _options(attributes: Attributes) -> Object:
    options = attributes.call.options
    found: Object = {
        "kind": _OPTIONS.get(attributes.operation, "CreateOptions"),
        "apiVersion": "meta.k8s.io/v1",
    }
    if options.dry_run:
        found["dryRun"] = ["All"]
    if options.field_manager:
        found["fieldManager"] = options.field_manager
    return found


def answer(sent: Object, body: bytes) -> Verdict:
    """The verdict in a webhook's response.

    :raises BadAnswer: if it is not a response to `sent`.
    """
    try:
        review = orjson.loads(body)
        response = review["response"]
        allowed = bool(response["allowed"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        raise BadAnswer("Webhook response was absent") from None
    uid = sent["request"]["uid"]
    if sent["apiVersion"].endswith("/v1"):
        _check(review, response, sent["apiVersion"], uid)
    return Verdict(
        allowed,
        response.get("status") or {},
        _patch(response),
        [str(text) for text in response.get("warnings") or ()],
    )


def _check(review: Object, response: Object, version: str, uid: str) -> None:
    if review.get("kind") != "AdmissionReview" or review.get("apiVersion") != version:
        raise BadAnswer(
            f"expected webhook response of {version}, Kind=AdmissionReview, got "
            f"{review.get('apiVersion', '')}, Kind={review.get('kind', '')}"
        )
    if response.get("uid") != uid:
        raise BadAnswer(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')


def _patch(response: Object) -> list[Any]:
    text = response.get("patch")
    if not text:
        return []
    if response.get("patchType", "JSONPatch") != "JSONPatch":
        raise BadAnswer(f'invalid response.patchType of "{response["patchType"]}"')
    try:
        found = orjson.loads(base64.b64decode(text))
    except ValueError as error:
        raise BadAnswer(f"unable to decode the patch: {error}") from None
    if not isinstance(found, list):
        raise BadAnswer("the patch is not a list of operations")
    return found
