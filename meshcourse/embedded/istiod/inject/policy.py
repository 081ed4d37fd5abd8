"""Whether a pod gets a proxy.

Source: istio.io "Installing the Sidecar": the webhook's selectors decide by namespace and pod labels
(`selects` repeats them for ``kube-inject`` and ``istioctl``), then the injector looks at the pod
itself (`required`).
"""

from __future__ import annotations

from collections.abc import Mapping

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

IGNORED_NAMESPACES = frozenset(
    {"kube-system", "kube-public", "kube-node-lease", "local-path-storage"}
)
INJECT = "sidecar.istio.io/inject"
REVISION = "istio.io/rev"
NAMESPACE_INJECTION = "istio-injection"


def required(pod: Object, namespace: str) -> bool:
    """Whether the injector acts on a pod that the webhook was called for."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork") or namespace in IGNORED_NAMESPACES:
        return False
    wish = objects.annotations_of(pod).get(INJECT, "")
    # The label is the newer way; if both are present it wins.
    wish = objects.labels(pod).get(INJECT, wish)
    return wish != "false"


def selects(
    namespace: Mapping[str, str], pod: Mapping[str, str], revision: str = "default"
) -> bool:
    """Whether the webhooks of a revision are called, by the labels of namespace and pod.

    ``istio-injection`` of the namespace goes before ``istio.io/rev``; a pod may opt out everywhere,
    and opt in where the namespace says nothing.
    """
    wish = pod.get(INJECT)
    default = revision == "default"
    if NAMESPACE_INJECTION in namespace:
        return default and namespace[NAMESPACE_INJECTION] == "enabled" and wish != "false"
    if REVISION in namespace:
        return namespace[REVISION] == revision and wish != "false"
    if REVISION in pod:
        return pod[REVISION] == revision and wish != "false"
    return default and wish == "true"
