"""The security policies of one workload, in the forms that its listeners, routes and extensions
need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshcourse.embedded.istio import hosts, names, policies
from meshcourse.embedded.istio.build import ext_authz, filters, jwt, rbac
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Config, Json, Proxy, ProxyKind
from meshcourse.embedded.istio.scope import Scope
from meshcourse.embedded.kube import refs


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """What policies amount to for one workload.

    :param per_route: ``typed_per_filter_config`` of its HTTP routes.
    :param network: filters in front of its TCP ports.
    :param extensions: ECDS resources by name.
    """

    per_route: dict[str, Json]
    network: list[Json]
    extensions: dict[str, Json]


def build(scope: Scope, proxy: Proxy, memo: Memo) -> Policy:
    """The policies in force for a proxy's workload."""
    snapshot, workload = scope.snapshot, proxy.workload
    root = snapshot.mesh.root_namespace
    rules = policies.of_workload(snapshot.of_kind(refs.AUTHORIZATIONPOLICIES), workload, root)
    tokens = policies.of_workload(snapshot.of_kind(refs.REQUESTAUTHENTICATIONS), workload, root)
    authorizer = _authorizer(scope, rbac.provider_of(rules), memo)
    return memo.get(
        ("policy", proxy.id),
        (workload, scope.mesh, snapshot.keys, authorizer, *rules, *tokens),
        lambda: _build(scope, proxy, rules, tokens, authorizer),
    )


def _build(
    scope: Scope,
    proxy: Proxy,
    rules: Sequence[Config],
    tokens: Sequence[Config],
    authorizer: Json | None,
) -> Policy:
    provider = rbac.provider_of(rules)
    custom = rbac.custom(rules, provider, known=authorizer is not None) if provider else {}
    is_gateway = proxy.kind is ProxyKind.ROUTER
    found = {
        filters.JWT: jwt.config(tokens, scope.snapshot.keys, reroute=is_gateway),
        filters.EXT_AUTHZ: authorizer or ext_authz.idle(),
    }
    return Policy(
        per_route={**custom, **rbac.per_route(rules)},
        network=rbac.network(rules),
        extensions={name: {"name": name, "typed_config": config} for name, config in found.items()},
    )


def _authorizer(scope: Scope, name: str, memo: Memo) -> Json | None:
    """The configuration of the external authorizer of that name; None if there is no usable one."""
    provider = scope.mesh.provider(name)
    if provider is None or provider.kind not in ext_authz.KINDS:
        return None
    written, port = str(provider.spec.get("service") or ""), int(provider.spec.get("port") or 0)
    host = hosts.resolve(written.rpartition("/")[2], scope.namespace, scope.mesh.domain)
    service = scope.service(host)
    if service is None or service.port(port) is None:
        return None
    cluster = names.outbound(port, "", host)
    return memo.get(
        ("ext-authz", host, name), (provider,), lambda: ext_authz.config(provider, host, cluster)
    )
