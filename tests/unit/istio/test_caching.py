"""What is shared between proxies and snapshots is the very same object, and a change rebuilds
little.
"""

from __future__ import annotations

from meshcourse.embedded.istio.memo import Memo
from tests.unit.istio.mesh import REVIEWS_SUBSETS, Mesh, bookinfo
from tests.unit.istio.test_simulation import V1, V2, rule


def hosts(mesh: Mesh, pod: str) -> dict[str, object]:
    route = mesh.resources(pod).routes["outbound"]
    return {one["name"]: one for one in route["virtual_hosts"]}


def test_sidecars_of_a_namespace_share_outbound_configuration() -> None:
    mesh = bookinfo()
    one, two = (mesh.resources(name) for name in ("productpage-v1-5d8f-1", "details-v1-5d8f-2"))
    assert one.routes["outbound"] is two.routes["outbound"]
    assert one.endpoints is two.endpoints
    shared = [name for name in one.clusters if name.startswith("outbound|")]
    assert shared
    assert all(one.clusters[name] is two.clusters[name] for name in shared)
    assert one.listeners["virtualOutbound"] is not two.listeners["virtualOutbound"]


def test_a_changed_rule_rebuilds_its_virtual_host_only() -> None:
    mesh = bookinfo()
    mesh.apply(REVIEWS_SUBSETS)
    pod = "productpage-v1-5d8f-1"
    mesh.apply(rule(f"[{{route: [{V1}]}}]"))
    before, resources = hosts(mesh, pod), mesh.resources(pod)
    mesh.apply(rule(f"[{{route: [{V2}]}}]"))
    after, now = hosts(mesh, pod), mesh.resources(pod)
    changed = [name for name in before if after[name] is not before[name]]
    assert changed == ["reviews.default.svc.cluster.local:9080"]
    assert all(now.clusters[name] is one for name, one in resources.clusters.items())
    assert all(now.listeners[name] is one for name, one in resources.listeners.items())
    assert now.routes["inbound|9080||"] is resources.routes["inbound|9080||"]


def test_a_new_endpoint_leaves_routes_and_other_endpoints_alone() -> None:
    mesh = bookinfo()
    pod = "productpage-v1-5d8f-1"
    before = mesh.resources(pod)
    mesh.pod("reviews", "v4", account="bookinfo-reviews")
    after = mesh.resources(pod)
    assert after.routes["outbound"] is before.routes["outbound"]
    name = "outbound|9080||reviews.default.svc.cluster.local"
    assert after.clusters[name] is before.clusters[name]
    assert [
        one for one in before.endpoints if after.endpoints[one] is not before.endpoints[one]
    ] == [name]


def test_a_rule_without_effect_changes_nothing() -> None:
    mesh = bookinfo()
    pod = "productpage-v1-5d8f-1"
    before = mesh.resources(pod)
    mesh.apply(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        "metadata: {name: x}\nspec: {host: unknown.example}\n"
    )
    after = mesh.resources(pod)
    assert all(after.clusters[name] is one for name, one in before.clusters.items())
    assert after.routes["outbound"] is before.routes["outbound"]


def test_nothing_that_differs_between_sidecars_is_in_outbound_configuration() -> None:
    mesh = bookinfo()
    resources = mesh.resources("productpage-v1-5d8f-1")
    own = mesh.snapshot().workloads["default", "productpage-v1-5d8f-1"].addresses  # type: ignore[index]
    outbound = [one for name, one in resources.clusters.items() if name.startswith("outbound|")]
    assert own.app_ip not in repr([outbound, resources.routes["outbound"]])
    assert "%ENVIRONMENT(ISTIO_META_WORKLOAD_NAME)%" in repr(resources.listeners["virtualOutbound"])


def test_memo_keeps_equal_values_and_forgets_unused_ones() -> None:
    memo = Memo()
    one, two = object(), object()
    first = memo.get("k", (one,), lambda: {"a": 1})
    assert memo.get("k", (one,), lambda: {"a": 2}) is first
    assert memo.get("k", (two,), lambda: {"a": 1}) is first
    assert memo.get("k", (one,), lambda: {"a": 2}) == {"a": 2}
    memo.sweep()
    memo.sweep()
    assert len(memo) == 1
    memo.sweep()
    assert len(memo) == 0
