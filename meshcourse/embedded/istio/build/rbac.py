"""AuthorizationPolicies of a workload → RBAC, as per-route configuration (HTTP) or network filters
(TCP).

Source: pilot's authorization builder. Order of evaluation is CUSTOM, AUDIT, DENY, ALLOW. Dry-run
policies become shadow rules; an ALLOW policy without rules allows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from meshcourse.embedded.istio.build import filters, proto, rbac_rules
from meshcourse.embedded.istio.model import Config, Json

_DRY_RUN: Final = "istio.io/dry-run"
_TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_EXT_AUTHZ: Final = "istio-ext-authz"
EXT_AUTHZ_PREFIX: Final = "istio_ext_authz_"
_ACTIONS: Final = (
    ("AUDIT", "LOG", filters.RBAC_AUDIT),
    ("DENY", "DENY", filters.RBAC_DENY),
    ("ALLOW", "ALLOW", filters.RBAC_ALLOW),
)
#: Statistic prefixes of shadow rules; they are also the prefixes of the metadata that the rules
#: leave.
_SHADOW_PREFIX: Final = {"ALLOW": "istio_dry_run_allow_", "DENY": "istio_dry_run_deny_"}


def per_route(policies: Sequence[Config]) -> dict[str, Json]:
    """``typed_per_filter_config`` by filter name; empty without policies."""
    result = {}
    for action, engine, name in _ACTIONS:
        found = [one for one in policies if _action(one) == action]
        if found:
            fields = _engines(found, engine, tcp=False)
            result[name] = _per_route(fields)
    return result


def custom(policies: Sequence[Config], provider: str, *, known: bool) -> dict[str, Json]:
    """Per-route configuration of the filter that decides whether the external authorizer is asked.

    :param known: whether the provider can be reached; if not, matching requests are denied, as in
        Istio.
    """
    found = [one for one in policies if _action(one) == "CUSTOM"]
    if not found:
        return {}
    rules = {
        f"{_EXT_AUTHZ}-{provider}-{name}": policy
        for one in found
        for name, policy in _rules(one, "DENY", tcp=False)
    }
    if not known:
        denied = {f"{name}-deny-due-to-bad-CUSTOM-action": one for name, one in rules.items()}
        return {filters.RBAC_CUSTOM: _per_route({"rules": _engine("DENY", denied)})}
    shadow = {
        "shadow_rules": _engine("DENY", rules),
        "shadow_rules_stat_prefix": EXT_AUTHZ_PREFIX,
    }
    return {filters.RBAC_CUSTOM: _per_route(shadow)}


def custom_metadata(provider: str) -> Json:
    """The MetadataMatcher that enables the external authorizer: a CUSTOM rule of the provider
    matched.
    """
    key = f"{EXT_AUTHZ_PREFIX}shadow_effective_policy_id"
    return {
        "filter": "envoy.filters.http.rbac",
        "path": [{"key": key}],
        "value": {"string_match": {"prefix": f"{_EXT_AUTHZ}-{provider}"}},
    }


def provider_of(policies: Sequence[Config]) -> str:
    """The provider of the CUSTOM policies (the oldest one's; Istio allows one per workload)."""
    custom_ones = (one for one in policies if _action(one) == "CUSTOM")
    return next(((one.spec.get("provider") or {}).get("name", "") for one in custom_ones), "")


def network(policies: Sequence[Config]) -> list[Json]:
    """Network filters for a TCP port."""
    result = []
    for action, engine, _ in _ACTIONS:
        found = [one for one in policies if _action(one) == action]
        if found:
            fields = _engines(found, engine, tcp=True)
            message = "extensions.filters.network.rbac.v3.RBAC"
            result.append(
                proto.named("envoy.filters.network.rbac", message, stat_prefix="tcp.", **fields)
            )
    return result


def _per_route(fields: Mapping[str, object]) -> Json:
    inner = dict(fields)
    return proto.typed("extensions.filters.http.rbac.v3.RBACPerRoute", rbac=inner)


def _engines(policies: Sequence[Config], engine: str, *, tcp: bool) -> dict[str, object]:
    """``rules`` and, for dry-run policies, ``shadow_rules``."""
    enforced = [one for one in policies if not _dry_run(one)]
    rehearsed = [one for one in policies if _dry_run(one)]
    result: dict[str, object] = {}
    if enforced:
        result["rules"] = _engine(engine, dict(_all_rules(enforced, engine, tcp=tcp)))
    if rehearsed:
        result["shadow_rules"] = _engine(engine, dict(_all_rules(rehearsed, engine, tcp=tcp)))
        result["shadow_rules_stat_prefix"] = _SHADOW_PREFIX.get(engine, "")
    return result


def _engine(action: str, policies: Mapping[str, Json]) -> Json:
    return {"action": action, "policies": dict(policies)}


def _all_rules(policies: Sequence[Config], engine: str, *, tcp: bool) -> Iterator[tuple[str, Json]]:
    for policy in policies:
        yield from _rules(policy, engine, tcp=tcp)


def _rules(policy: Config, engine: str, *, tcp: bool) -> Iterator[tuple[str, Json]]:
    """Names as Istio's, which access logs show: ``ns[default]-policy[deny]-rule[0]``."""
    name = f"ns[{policy.namespace}]-policy[{policy.name}]"
    rules = policy.spec.get("rules") or []
    for number, rule in enumerate(rules):
        built = rbac_rules.build(rule or {}, policy.namespace, tcp=tcp, allow=engine == "ALLOW")
        if built is not None:
            yield f"{name}-rule[{number}]", built
    if not rules:
        yield f"{name}-rule[0]", rbac_rules.NEVER


def _action(policy: Config) -> str:
    return str(policy.spec.get("action") or "ALLOW")


def _dry_run(policy: Config) -> bool:
    return policy.annotations.get(_DRY_RUN, "") in _TRUE
