"""Component "Base" (Istio core): CRDs, the validating webhook of the default revision, the readers' account."""

from __future__ import annotations

from meshcourse.embedded.istioctl import crds
from meshcourse.embedded.istioctl.manifests import common
from meshcourse.embedded.istioctl.manifests.profiles import Spec
from meshcourse.embedded.kube.objects import Object

_GROUPS = [
    "security.istio.io",
    "networking.istio.io",
    "telemetry.istio.io",
    "extensions.istio.io",
    # Not on real Istio: for the warnings about fields that have no effect here.
    "gateway.networking.k8s.io",
]


def objects(spec: Spec) -> list[Object]:
    """In the order in which they are to be applied."""
    labels = common.labels("Base")
    reader = "istio-reader-service-account"
    found = [
        *crds.istio(),
        common.build("v1", "ServiceAccount", reader, labels, common.NAMESPACE),
    ]
    if (spec.get("values") or {}).get("global", {}).get("configValidation", True):
        revision = str(spec.get("revision") or "")
        found.append(validator("istiod-default-validator", "validation.istio.io", revision, None))
    return found


def validator(name: str, webhook: str, revision: str, selects: str | None) -> Object:
    """A ValidatingWebhookConfiguration that leads to istiod.

    :param selects: the ``istio.io/rev`` of the objects it is for; None for objects without one.
    """
    service = f"istiod-{revision}" if revision else "istiod"
    expression: Object = {"key": "istio.io/rev", "operator": "DoesNotExist"}
    if selects is not None:
        expression = {"key": "istio.io/rev", "operator": "In", "values": [selects]}
    hook = {
        "name": webhook,
        "clientConfig": {
            "service": {
                "name": service,
                "namespace": common.NAMESPACE,
                "path": "/validate",
                "port": 443,
            }
        },
        "rules": [
            {
                "operations": ["CREATE", "UPDATE"],
                "apiGroups": _GROUPS,
                "apiVersions": ["*"],
                "resources": ["*"],
            }
        ],
        # Open until istiod serves it; istiod then closes it and adds its CA.
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "objectSelector": {"matchExpressions": [expression]},
    }
    labels = common.labels("Pilot", revision, app="istiod", istio="istiod")
    return common.build(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        name,
        labels,
        webhooks=[hook],
    )
