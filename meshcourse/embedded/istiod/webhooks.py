"""The two webhooks: injection (``/inject``) and validation (``/validate``)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp import web

from meshcourse.embedded.istio import validate
from meshcourse.embedded.istiod import admission, metrics
from meshcourse.embedded.istiod.inject import injector, policy
from meshcourse.embedded.istiod.inject.values import Values
from meshcourse.embedded.kube import objects

log = logging.getLogger("sidecar-injector")


class InjectionWebhook:
    """Answers for pods that the API server is about to create.

    :param values: the injector's settings of this moment.
    """

    def __init__(self, values: Callable[[], Values]) -> None:
        self._values = values

    async def handle(self, request: web.Request) -> web.Response:
        """A patch that adds the proxy, or nothing if policy says no."""
        review = await admission.read(request)
        pod, uid = review["object"], review["uid"]
        namespace = review.get("namespace") or objects.namespace(pod)
        name = objects.name(pod) or objects.meta(pod).get("generateName", "")
        metrics.INJECTIONS.inc()
        if not policy.required(pod, namespace):
            log.info("Skipping due to policy check\tpod=%s/%s", namespace, name)
            metrics.NOT_INJECTED.inc()
            return admission.respond(uid)
        try:
            injected = injector.inject(pod, namespace, self._values())
        except injector.InjectionError as error:
            log.error("Pod injection failed: %s\tpod=%s/%s", error.message, namespace, name)
            metrics.INJECTION_FAILURES.inc()
            return admission.respond(uid, refusal=error.message)
        log.info("Process sidecar injection request\tpod=%s/%s", namespace, name)
        metrics.INJECTED.inc()
        return admission.respond(uid, patch=admission.difference(pod, injected))


async def validation(request: web.Request) -> web.Response:
    """Refuses what `istio.validate` finds wrong, in Istio's words."""
    review = await admission.read(request)
    obj = review.get("object")
    if review.get("operation") == "DELETE" or not obj:
        return admission.respond(review["uid"])
    found = validate.check(obj)
    labels = {"group": review["resource"]["group"], "resource": review["resource"]["resource"]}
    if found.errors:
        metrics.REFUSED.inc(**labels, reason="invalid_resource")
        refusal = f"configuration is invalid: {found.message}"
        return admission.respond(review["uid"], refusal=refusal, warnings=found.warnings)
    metrics.VALIDATED.inc(**labels)
    return admission.respond(review["uid"], warnings=found.warnings)
