"""Subresources and kinds that are answered, not stored: a small handler for each."""

from __future__ import annotations

import functools
from typing import Any

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.filters import Filter
from meshcourse.embedded.apiserver.rest.patch import PatchKind
from meshcourse.embedded.apiserver.rest.read import Page
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object


class Virtual:
    """Refuses every verb; handlers override those that they answer. Bodies are handed over."""

    async def get(self, core: Core, call: Call) -> Object:
        raise status.method_not_allowed(call.resource, "")

    def list(self, core: Core, call: Call, chosen: Filter) -> Page:
        raise status.method_not_allowed(call.resource, "")

    async def create(self, core: Core, call: Call, body: Object) -> Object:
        raise status.method_not_allowed(call.resource, "")

    async def update(self, core: Core, call: Call, body: Object) -> Object:
        raise status.method_not_allowed(call.resource, "")

    async def patch(self, core: Core, call: Call, body: Any, kind: PatchKind) -> Object:
        raise status.method_not_allowed(call.resource, "")


def find(call: Call) -> Virtual | None:
    """The handler of a call, or None if it is about a stored object."""
    if call.subresource == "scale":
        return _handlers()["scale"]
    key = f"{call.resource.qualified}/{call.subresource}" if call.subresource else ""
    return _handlers().get(key or call.resource.qualified)


@functools.cache
def _handlers() -> dict[str, Virtual]:
    from meshcourse.embedded.apiserver.auth import reviews
    from meshcourse.embedded.apiserver.rest import measurements, pods, scale, tokens

    access = reviews.AccessReviews()
    measured = measurements.Measurements()
    return {
        "scale": scale.Scale(),
        "serviceaccounts/token": tokens.TokenRequests(),
        "pods/binding": pods.Bindings(),
        "pods/eviction": pods.Evictions(),
        "bindings": pods.Bindings(),
        "componentstatuses": measurements.ComponentStatuses(),
        "pods.metrics.k8s.io": measured,
        "nodes.metrics.k8s.io": measured,
        "selfsubjectreviews.authentication.k8s.io": reviews.SelfSubjectReviews(),
        "tokenreviews.authentication.k8s.io": reviews.TokenReviews(),
        "selfsubjectrulesreviews.authorization.k8s.io": reviews.RulesReviews(),
        "selfsubjectaccessreviews.authorization.k8s.io": access,
        "subjectaccessreviews.authorization.k8s.io": access,
        "localsubjectaccessreviews.authorization.k8s.io": access,
    }
