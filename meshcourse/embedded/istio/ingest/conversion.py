"""Gateway API and Ingress objects → Istio's kinds, done again only when something they refer to
changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshcourse.embedded.istio import gateway_api, kubernetes_ingress
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.ingest import memory
from meshcourse.embedded.istio.model import Config, Converted
from meshcourse.embedded.kube import refs

_NAME: Final = "converted"
_KINDS: Final = (
    refs.K8S_GATEWAYCLASSES,
    refs.K8S_GATEWAYS,
    refs.HTTPROUTES,
    refs.GRPCROUTES,
    refs.TLSROUTES,
    refs.TCPROUTES,
    refs.REFERENCEGRANTS,
    refs.SERVICEENTRIES,
    refs.INGRESSES,
    refs.INGRESSCLASSES,
)


def build(context: Context, known: memory.Memory) -> Converted:
    """The conversion; unchanged configurations are the same objects as before."""
    return known.derived(
        _NAME,
        lambda: _kept(_both(context), known.previous(_NAME)),
        *(context.of_kind(one) for one in _KINDS),
        context.services,
        context.endpoints,
        context.namespaces,
        context.secrets,
        context.authorities,
        context.mesh,
    )


def _both(context: Context) -> Converted:
    routes = gateway_api.convert(context)
    ingresses = kubernetes_ingress.convert(
        context.of_kind(refs.INGRESSES),
        context.of_kind(refs.INGRESSCLASSES),
        context.services,
        context.mesh,
    )
    return Converted(
        gateways=(*routes.gateways, *ingresses.gateways),
        rules=(*routes.rules, *ingresses.rules),
        statuses={**routes.statuses, **ingresses.statuses},
        deployed=routes.deployed,
    )


def _kept(fresh: Converted, before: Converted | None) -> Converted:
    if before is None:
        return fresh
    gateways = _configs(fresh.gateways, before.gateways)
    rules = _configs(fresh.rules, before.rules)
    same = gateways is before.gateways and rules is before.rules
    if same and fresh.statuses == before.statuses and fresh.deployed == before.deployed:
        return before
    return Converted(gateways, rules, fresh.statuses, fresh.deployed)


def _configs(fresh: Sequence[Config], before: tuple[Config, ...]) -> tuple[Config, ...]:
    old = {(one.namespace, one.name): one for one in before}
    kept = []
    for one in fresh:
        known = old.get((one.namespace, one.name))
        kept.append(known if known is not None and memory.same(known, one) else one)
    same = len(kept) == len(before) and all(
        left is right for left, right in zip(kept, before, strict=True)
    )
    return before if same else tuple(kept)
