"""Which DestinationRule applies to a host, and what its policies add up to.

Source: istio.io reference of DestinationRule; pilot merges rules of one namespace for the same host
(subsets are concatenated, the first traffic policy wins) and looks in the client's namespace, then
the service's, then the root's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from meshcourse.embedded.istio import hosts, visibility
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Config, Json, MeshConfig

_POLICY_FIELDS = (
    "connectionPool",
    "outlierDetection",
    "loadBalancer",
    "tls",
    "proxyProtocol",
    "retryBudget",
)
_PORT_FIELDS = ("connectionPool", "outlierDetection", "loadBalancer", "tls")


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One or several DestinationRules for a host, merged. Hash is identity.

    :param sources: the objects it came from, oldest first.
    """

    host: str
    namespace: str
    policy: Mapping[str, Any]
    subsets: tuple[Mapping[str, Any], ...]
    selector: Mapping[str, str]
    sources: tuple[Config, ...]

    def subset(self, name: str) -> Mapping[str, Any] | None:
        """The subset of that name."""
        return next((one for one in self.subsets if one.get("name") == name), None)


class Index:
    """The rules of a mesh by namespace and host."""

    def __init__(self, configs: Sequence[Config], mesh: MeshConfig, memo: Memo) -> None:
        self._mesh = mesh
        self._rules: dict[str, dict[str, list[Rule]]] = {}
        for namespace, found in _by_namespace(configs, mesh).items():
            self._rules[namespace] = {
                host: _merge(host, namespace, rules, memo) for host, rules in found.items()
            }

    def find(
        self, host: str, service_namespace: str, client: str, labels: Mapping[str, str]
    ) -> Rule | None:
        """The rule that clients of namespace `client` with `labels` follow when they call `host`."""
        order = [client, service_namespace, self._mesh.root_namespace]
        if client == self._mesh.root_namespace:
            order = [service_namespace, client]
        for namespace in order:
            found = self._in(namespace, host, client, labels)
            if found is not None:
                return found
        return None

    def _in(self, namespace: str, host: str, client: str, labels: Mapping[str, str]) -> Rule | None:
        rules = self._rules.get(namespace, {})
        visible = {
            name: [one for one in found if namespace == client or self._exported(one, client)]
            for name, found in _candidates(rules, host)
        }
        best = hosts.most_specific(host, (name for name, found in visible.items() if found))
        return _selected(visible[best], labels) if best else None

    def _exported(self, rule: Rule, client: str) -> bool:
        default = self._mesh.default_destination_rule_export_to
        return visibility.of_config(rule.sources[0], default, client)


def _candidates(rules: Mapping[str, list[Rule]], host: str) -> Iterable[tuple[str, list[Rule]]]:
    """Rules that could apply: the exact host, and patterns."""
    if host in rules:
        return [(host, rules[host])]
    return [(name, found) for name, found in rules.items() if hosts.wild(name)]


def _selected(rules: list[Rule], labels: Mapping[str, str]) -> Rule | None:
    """A rule whose workload selector matches goes before one without a selector."""
    matching = (
        one
        for one in rules
        if one.selector and all(labels.get(key) == value for key, value in one.selector.items())
    )
    plain = (one for one in rules if not one.selector)
    return next(matching, None) or next(plain, None)


def _by_namespace(
    configs: Sequence[Config], mesh: MeshConfig
) -> dict[str, dict[str, list[Config]]]:
    result: dict[str, dict[str, list[Config]]] = {}
    for config in configs:
        host = hosts.resolve(config.spec.get("host", ""), config.namespace, mesh.domain).lower()
        if host:
            result.setdefault(config.namespace, {}).setdefault(host, []).append(config)
    return result


def _selector(config: Config) -> dict[str, str]:
    return (config.spec.get("workloadSelector") or {}).get("matchLabels") or {}


def selector_keys(configs: Sequence[Config]) -> frozenset[str]:
    """The labels of clients that workload selectors look at."""
    return frozenset(key for config in configs for key in _selector(config))


def locality_settings(configs: Sequence[Config]) -> Iterator[Mapping[str, Any]]:
    """Every ``localityLbSetting`` that any rule has, at host, subset or port level."""
    for config in configs:
        policies = [config.spec.get("trafficPolicy") or {}]
        policies += [one.get("trafficPolicy") or {} for one in config.spec.get("subsets") or []]
        ports = [port for one in policies for port in one.get("portLevelSettings") or []]
        for policy in (*policies, *ports):
            found = (policy.get("loadBalancer") or {}).get("localityLbSetting")
            if found is not None:
                yield found


def _merge(host: str, namespace: str, configs: Sequence[Config], memo: Memo) -> list[Rule]:
    """Rules with equal selectors become one; unchanged ones are the same object as before."""
    groups: dict[tuple[tuple[str, str], ...], list[Config]] = {}
    for config in configs:
        groups.setdefault(tuple(sorted(_selector(config).items())), []).append(config)
    return [
        memo.get(
            ("destination-rule", namespace, host, key),
            tuple(found),
            partial(_merged, host, namespace, dict(key), found),
        )
        for key, found in groups.items()
    ]


def _merged(
    host: str, namespace: str, selector: Mapping[str, str], configs: Sequence[Config]
) -> Rule:
    subsets: dict[str, Mapping[str, Any]] = {}
    for config in configs:
        for subset in config.spec.get("subsets") or []:
            subsets.setdefault(subset.get("name", ""), subset)
    policies = [config.spec.get("trafficPolicy") or {} for config in configs]
    policy: Mapping[str, Any] = next((one for one in policies if one), {})
    return Rule(host, namespace, policy, tuple(subsets.values()), selector, tuple(configs))


def policy_for(rule: Rule | None, port: int, subset: str = "") -> Json:
    """The traffic policy in force for a port and subset, without ``portLevelSettings``.

    A subset's fields replace the host's; port level settings replace everything and inherit
    nothing.
    """
    if rule is None:
        return {}
    found = _with_port({}, rule.policy, port)
    named = rule.subset(subset) if subset else None
    if named is not None and named.get("trafficPolicy"):
        found = _with_port(found, named["trafficPolicy"], port)
    return found


def _with_port(base: Json, policy: Mapping[str, Any], port: int) -> Json:
    fields = {key: policy[key] for key in _POLICY_FIELDS if policy.get(key) is not None}
    result = {**base, **fields}
    for setting in policy.get("portLevelSettings") or []:
        if (setting.get("port") or {}).get("number") == port:
            kept = {key: value for key, value in result.items() if key not in _PORT_FIELDS}
            own = {key: setting[key] for key in _PORT_FIELDS if setting.get(key) is not None}
            return {**kept, **own}
    return result


def consistent_hash(rule: Rule | None, port: int | None, subset: str = "") -> Json | None:
    """The consistent hash that applies to a destination, None if there is none.

    `port` is the destination's port as written in the route (None if it is not).
    """
    if rule is None:
        return None
    named = rule.subset(subset) or {}
    policies = [named.get("trafficPolicy") or {}, rule.policy]
    found = [_hash_of_port(policies[0], port), _hash(policies[0])]
    found += [_hash_of_port(policies[1], port), _hash(policies[1])]
    return next((one for one in found if one), None)


def _hash(policy: Mapping[str, Any]) -> Json | None:
    found: Json | None = (policy.get("loadBalancer") or {}).get("consistentHash")
    return found


def _hash_of_port(policy: Mapping[str, Any], port: int | None) -> Json | None:
    for setting in policy.get("portLevelSettings") or []:
        if port is not None and (setting.get("port") or {}).get("number") == port:
            return _hash(setting)
    return None
