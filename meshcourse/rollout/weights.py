"""The weights of a VirtualService: read, checked, changed, written. Pure.

Source: Istio documentation, "Virtual Service" (HTTPRoute, HTTPRouteDestination) and "Destination Rule" (Subset).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from meshcourse.errors import MeshcourseError

Object = dict[str, Any]
#: Version (which is also the name of its subset) → percent.
Weights = dict[str, int]
API = "networking.istio.io/v1"


class RolloutError(MeshcourseError):
    """A split or a canary that cannot be carried out."""


def checked(weights: Mapping[str, float], known: Iterable[str]) -> Weights:
    """Whole percents that sum to 100, for versions that exist.

    :raises RolloutError: otherwise.
    """
    there = list(known)
    for version, weight in weights.items():
        if version not in there:
            raise RolloutError(
                f"no pod has version {version}",
                remedy=f"There are {', '.join(there) or 'no versions at all'}: "
                "`%kubectl get pods -L version`.",
            )
        if weight < 0 or weight != int(weight):
            raise RolloutError(
                f"{version}: {weight} is not a weight; it is a whole percent, 0 to 100"
            )
    total = sum(weights.values())
    if total != 100:
        raise RolloutError(f"the weights sum to {total:g}, not to 100")
    return {version: int(weight) for version, weight in weights.items()}


def rebalanced(weights: Mapping[str, int], version: str, percent: float) -> Weights:
    """One version gets `percent`; the others share the rest in their old proportion (equally, if they had nothing)."""
    percent = min(100, max(0, round(percent)))
    others = [name for name in weights if name != version]
    if not others:
        return {version: 100}
    had = sum(weights[name] for name in others)
    parts = {name: (weights[name] if had else 1) / (had or len(others)) for name in others}
    found = {name: int(parts[name] * (100 - percent)) for name in others}
    largest = max(others, key=lambda name: parts[name])
    found[largest] += 100 - percent - sum(found.values())  # what rounding left over
    return {name: percent if name == version else found[name] for name in weights}


def of(virtual_service: Object | None, host: str) -> Weights:
    """The weights that the default route to `host` has now; empty if nothing divides."""
    route = _default(virtual_service or {}, host)
    if route is None:
        return {}
    parts = route["route"]
    if any("subset" not in part["destination"] for part in parts):
        return {}
    weights = {part["destination"]["subset"]: int(part.get("weight", 0)) for part in parts}
    return weights if len(parts) > 1 else dict.fromkeys(weights, 100)


def divides(virtual_service: Object, host: str) -> bool:
    """Has it a route to `host`?"""
    return _default(virtual_service, host) is not None


def with_weights(virtual_service: Object | None, host: str, weights: Weights) -> Object:
    """The VirtualService as one would write it, with the default route to `host` divided by `weights`.

    Other routes (a header that leads to a canary, say) and everything else of the default route stay as they are.
    """
    if virtual_service is None:
        return _document(
            host, {"hosts": [host], "http": [{"route": _parts({"host": host}, weights)}]}
        )
    spec = copy.deepcopy(virtual_service["spec"])
    route = _default({"spec": spec}, host)
    if route is None:
        name = virtual_service["metadata"]["name"]
        raise RolloutError(f"VirtualService {name} has no HTTP route to {host}")
    route["route"] = _parts(route["route"][0]["destination"], weights)
    return _document(virtual_service["metadata"]["name"], spec)


def destination_rule(host: str, versions: Sequence[str]) -> Object:
    """A DestinationRule with a subset for each version."""
    found = _document(host, {"host": host, "subsets": subsets(versions)})
    return {**found, "kind": "DestinationRule"}


def subsets(versions: Sequence[str]) -> list[Object]:
    """A subset for each version, of its name."""
    return [{"name": version, "labels": {"version": version}} for version in versions]


def is_host(written: str, host: str) -> bool:
    """Does a VirtualService or DestinationRule mean the Service `host`: by its short name, or by a longer one?"""
    return written == host or written.startswith(f"{host}.")


def text(obj: Object) -> str:
    """The YAML that a person would apply."""
    return str(yaml.safe_dump(obj, sort_keys=False, default_flow_style=None, width=100))


def words(weights: Mapping[str, int]) -> str:
    """``v1 80 % · v2 20 %``."""
    return " · ".join(f"{version} {weight} %" for version, weight in weights.items())


def _default(virtual_service: Object, host: str) -> Object | None:
    """The last HTTP route to `host`: routes are tried in order, so the last one is for everybody else."""
    routes: list[Object] = virtual_service.get("spec", {}).get("http") or []
    for route in reversed(routes):
        parts = route.get("route") or []
        if parts and all(is_host(part["destination"]["host"], host) for part in parts):
            return route
    return None


def _parts(destination: Object, weights: Weights) -> list[Object]:
    rest = {key: value for key, value in destination.items() if key != "subset"}
    return [
        {"destination": {**copy.deepcopy(rest), "subset": version}, "weight": weight}
        for version, weight in weights.items()
    ]


def _document(name: str, spec: Object) -> Object:
    return {"apiVersion": API, "kind": "VirtualService", "metadata": {"name": name}, "spec": spec}
