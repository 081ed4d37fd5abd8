"""The objects that make a tag: a webhook that injects for it, and a Service that stands for its istiod.

Source: Istio's chart istio-discovery, templates revision-tags.
"""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

TAG: Final = "istio.io/tag"
REVISION: Final = "istio.io/rev"
DEFAULT: Final = "default"
_INJECTION: Final = "istio-injection"
_INJECT: Final = "sidecar.istio.io/inject"
_OPERATOR: Final = "operator.istio.io"
#: Selectors of a webhook that is kept but not used.
NEVER: Final[Object] = {"matchLabels": {"istio.io/deactivated": "never-match"}}
_IGNORED: Final = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"]


def _in(key: str, *values: str) -> Object:
    return {"key": key, "operator": "In", "values": list(values)}


def _not_in(key: str, *values: str) -> Object:
    return {"key": key, "operator": "NotIn", "values": list(values)}


def _absent(*keys: str) -> list[Object]:
    return [{"key": key, "operator": "DoesNotExist"} for key in keys]


def webhook(canonical: Object, tag: str, *, name: str = "", everywhere: bool = False) -> Object:
    """A tag's webhook configuration.

    :param canonical: the revision's own, whose address and certificate it shares.
    :param everywhere: the default tag injects all namespaces that do not say otherwise.
    """
    first = canonical["webhooks"][0]
    labels = _labels(canonical, tag)
    hooks = [_hook(first, *selectors) for selectors in _selectors(tag, everywhere=everywhere)]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name or f"istio-revision-tag-{tag}", "labels": labels},
        "webhooks": objects.clone(hooks),  # no parts in common, which YAML would show as references
    }


def _labels(canonical: Object, tag: str) -> dict[str, str]:
    """A tag is the user's: an installation does not own it."""
    own = {k: v for k, v in objects.labels(canonical).items() if _OPERATOR not in k}
    return {**own, TAG: tag}


def _selectors(tag: str, *, everywhere: bool) -> list[tuple[str, list[Object], list[Object]]]:
    """Prefix of the name, selectors of the namespace and of the pod, of each hook."""
    not_out, tagged = _not_in(_INJECT, "false"), _in(REVISION, tag)
    unlabelled = _absent(_INJECTION, REVISION)
    found = [
        ("rev.namespace.", [tagged, *_absent(_INJECTION)], [not_out]),
        ("rev.object.", _absent(REVISION, _INJECTION), [not_out, tagged]),
    ]
    if tag == DEFAULT:
        wished = [_in(_INJECT, "true"), *_absent(REVISION)]
        found += [
            ("namespace.", [_in(_INJECTION, "enabled")], [not_out]),
            ("object.", unlabelled, wished),
        ]
        if everywhere:
            names = _not_in("kubernetes.io/metadata.name", *_IGNORED)
            found.append(("auto.", [*unlabelled, names], _absent(_INJECT, REVISION)))
    return found


def _hook(first: Object, prefix: str, namespaces: list[Object], pods: list[Object]) -> Object:
    return {
        **first,
        "name": f"{prefix}sidecar-injector.istio.io",
        "namespaceSelector": {"matchExpressions": namespaces},
        "objectSelector": {"matchExpressions": pods},
    }


def service(tag: str, canonical: Object, namespace: str) -> Object:
    """A Service like the one of the revision's istiod."""
    spec = canonical.get("spec") or {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": f"istiod-revision-tag-{tag}",
            "namespace": namespace,
            "labels": _labels(canonical, tag),
        },
        "spec": {
            "ports": [_port(one) for one in spec.get("ports") or ()],
            "selector": spec.get("selector") or {},
        },
    }


def _port(found: Object) -> Object:
    kept = ("name", "port", "targetPort", "protocol", "appProtocol")
    return {key: found[key] for key in kept if key in found}


def deactivated(configuration: Object) -> Object:
    """A revision's webhooks, none of which matches any more."""
    hooks = [
        {**one, "namespaceSelector": NEVER, "objectSelector": NEVER}
        for one in configuration["webhooks"]
    ]
    return {**configuration, "webhooks": hooks}
