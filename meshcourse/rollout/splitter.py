"""Dividing the visitors of one Service in a cluster."""

from __future__ import annotations

import time
from dataclasses import dataclass

from meshcourse.cluster.cluster import Cluster
from meshcourse.rollout import weights as shares
from meshcourse.rollout.weights import Object, RolloutError, Weights

VIRTUAL, DESTINATION = "virtualservices.networking.istio.io", "destinationrules.networking.istio.io"


@dataclass(frozen=True, slots=True)
class Shift:
    """One change of weights.

    :param before: the weights until then; where nothing divided, every version alike (which is about what happens).
    :param at: when it was sent (seconds since the epoch).
    :param seconds: how long the API server took.
    :param yaml: the object that was applied.
    """

    before: Weights
    weights: Weights
    at: float
    seconds: float
    yaml: str

    @property
    def changes(self) -> bool:
        """Does it divide otherwise than before?"""
        old, new = ({k: v for k, v in each.items() if v} for each in (self.before, self.weights))
        return old != new


class Splitter:
    """Sets weights; needs subsets, and makes those that are missing.

    :param host: a Service, by its short name.
    :param namespace: where it is (default: the cluster's).
    :raises ClusterError: if there is no such Service. :raises RolloutError: if its pods have no versions.
    """

    def __init__(self, cluster: Cluster, host: str, namespace: str = "") -> None:
        self._cluster, self.host = cluster, host
        self.namespace = namespace or cluster.namespace
        self.versions = _versions(cluster, host, self.namespace)
        if not self.versions:
            raise RolloutError(
                f"the pods of {host} have no label `version`",
                remedy="A split needs versions: `%kubectl get pods -L version`.",
            )

    def current(self) -> Weights:
        """The weights now, with 0 for versions that get nothing; empty if nothing divides yet."""
        found = shares.of(self._existing(), self.host)
        return dict.fromkeys(self.versions, 0) | found if found else {}

    def set(self, weights: Weights) -> Shift:
        """Divide by `weights` (percents) from now on.

        :raises RolloutError: if they are not percents of versions that exist.
        :raises ClusterError: if the API server refuses.
        """
        weights = shares.checked(weights, self.versions)
        self._name_subsets()
        existing = self._existing()
        wanted = shares.with_weights(existing, self.host, weights)
        before = shares.of(existing, self.host) or dict.fromkeys(self.versions, 1)
        at, began = time.time(), time.perf_counter()
        if existing is None:
            self._cluster.apply([wanted], self.namespace).raise_on_error()
        else:
            change = {"spec": {"http": wanted["spec"]["http"]}}
            self._cluster.patch(VIRTUAL, wanted["metadata"]["name"], change, self.namespace)
        took = time.perf_counter() - began
        return Shift(before, weights, at, took, shares.text(wanted))

    def yaml(self) -> str:
        """The VirtualService as it is now; "" if there is none."""
        found, weights = self._existing(), self.current()
        return (
            shares.text(shares.with_weights(found, self.host, weights)) if found and weights else ""
        )

    def _existing(self) -> Object | None:
        """The VirtualService that divides: the one of the Service's name, or another with a route to it."""
        found = [
            item
            for item in self._cluster.objects(VIRTUAL, self.namespace)
            if shares.divides(item, self.host)
        ]
        found.sort(key=lambda item: str(item["metadata"]["name"]) != self.host)
        return found[0] if found else None

    def _name_subsets(self) -> None:
        """Subsets come before the route that names them; those of somebody else stay."""
        rules = self._cluster.objects(DESTINATION, self.namespace)
        rule = next((r for r in rules if shares.is_host(r["spec"]["host"], self.host)), None)
        if rule is None:
            wanted = shares.destination_rule(self.host, self.versions)
            self._cluster.apply([wanted], self.namespace).raise_on_error()
            return
        there = rule["spec"].get("subsets") or []
        missing = [v for v in self.versions if v not in [subset["name"] for subset in there]]
        if missing:
            change = {"spec": {"subsets": [*there, *shares.subsets(missing)]}}
            self._cluster.patch(DESTINATION, rule["metadata"]["name"], change, self.namespace)


def _versions(cluster: Cluster, host: str, namespace: str) -> list[str]:
    selector = cluster.service(host, namespace)["spec"].get("selector") or {}
    chosen = ",".join(f"{key}={value}" for key, value in selector.items())
    pods = cluster.objects("pods", namespace, selector=chosen)
    labels = (pod["metadata"].get("labels") or {} for pod in pods)
    return sorted({str(found["version"]) for found in labels if "version" in found})
