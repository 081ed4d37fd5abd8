"""Create, read, change and delete, as clients see it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.apiserver.builders import configmap, deployment, pod, service


async def test_an_object_goes_round(http: HttpClient) -> None:
    made = await http.create(refs.CONFIGMAPS, configmap(a="1"))
    assert made["metadata"]["uid"]
    assert await http.get(refs.CONFIGMAPS, "cm", "default") == made
    changed = await http.update(refs.CONFIGMAPS, {**made, "data": {"a": "2"}})
    assert changed["data"] == {"a": "2"}
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    answer = await http.delete(refs.CONFIGMAPS, "cm", "default")
    assert answer["status"] == "Success"
    assert answer["details"] == {
        "name": "cm",
        "kind": "configmaps",
        "uid": made["metadata"]["uid"],
    }
    with pytest.raises(ApiError, match='configmaps "cm" not found'):
        await http.get(refs.CONFIGMAPS, "cm", "default")


async def test_both_clients_say_the_same(http: HttpClient, client: LocalClient) -> None:
    await http.create(refs.DEPLOYMENTS, deployment())
    assert await client.get(refs.DEPLOYMENTS, "web", "default") == await http.get(
        refs.DEPLOYMENTS, "web", "default"
    )
    one, two = await client.list(refs.DEPLOYMENTS), await http.list(refs.DEPLOYMENTS)
    assert one == two


async def test_conflicts(client: LocalClient) -> None:
    made = await client.create(refs.CONFIGMAPS, configmap(a="1"))
    await client.update(refs.CONFIGMAPS, {**made, "data": {"a": "2"}})
    with pytest.raises(ApiError) as caught:
        await client.update(refs.CONFIGMAPS, {**made, "data": {"a": "3"}})
    assert caught.value.message == (
        'Operation cannot be fulfilled on configmaps "cm": the object has been modified; please '
        "apply your changes to the latest version and try again"
    )
    with pytest.raises(ApiError, match='configmaps "cm" already exists'):
        await client.create(refs.CONFIGMAPS, configmap())
    unversioned = objects.clone(made)
    del unversioned["metadata"]["resourceVersion"]
    assert await client.update(refs.CONFIGMAPS, unversioned)


async def test_another_uid_is_another_object(client: LocalClient) -> None:
    made = await client.create(refs.CONFIGMAPS, configmap())
    with pytest.raises(ApiError, match="Precondition failed: UID in precondition: other, UID in"):
        await client.delete(refs.CONFIGMAPS, "cm", "default", uid="other")
    wrong = {**made, "metadata": {**made["metadata"], "uid": "other"}}
    with pytest.raises(ApiError) as caught:
        await client.update(refs.CONFIGMAPS, wrong)
    assert caught.value.code == 409
    await client.delete(refs.CONFIGMAPS, "cm", "default", uid=made["metadata"]["uid"])


async def test_names_are_generated(client: LocalClient) -> None:
    wanted = configmap()
    wanted["metadata"] = {"generateName": "x-", "namespace": "default"}
    made = [await client.create(refs.CONFIGMAPS, wanted) for _ in range(3)]
    names = {objects.name(obj) for obj in made}
    assert len(names) == 3
    assert all(name.startswith("x-") and len(name) == 7 for name in names)
    wanted["metadata"] = {"namespace": "default"}
    with pytest.raises(ApiError, match="name or generateName is required"):
        await client.create(refs.CONFIGMAPS, wanted)


async def test_an_update_that_changes_nothing_writes_nothing(client: LocalClient) -> None:
    made = await client.create(refs.DEPLOYMENTS, deployment())
    same = await client.update(refs.DEPLOYMENTS, made)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    patched = await client.patch(
        refs.DEPLOYMENTS, "web", {"spec": {"replicas": 1}}, "default", field_manager="other"
    )
    assert patched["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_generation_counts_changes_of_the_spec(client: LocalClient) -> None:
    made = await client.create(refs.DEPLOYMENTS, deployment())
    labelled = await client.patch(
        refs.DEPLOYMENTS, "web", {"metadata": {"labels": {"a": "b"}}}, "default"
    )
    scaled = await client.patch(refs.DEPLOYMENTS, "web", {"spec": {"replicas": 3}}, "default")
    generations = [obj["metadata"]["generation"] for obj in (made, labelled, scaled)]
    assert generations == [1, 1, 2]


async def test_status_is_written_apart(client: LocalClient) -> None:
    made = await client.create(refs.DEPLOYMENTS, {**deployment(), "status": {"replicas": 9}})
    assert "replicas" not in made.get("status", {})
    changed = {**made, "spec": {**made["spec"], "replicas": 7}, "status": {"replicas": 1}}
    after = await client.update(refs.DEPLOYMENTS, changed, subresource="status")
    assert (after["spec"]["replicas"], after["status"]) == (1, {"replicas": 1})
    again = await client.update(refs.DEPLOYMENTS, {**after, "status": {}})
    assert again["status"] == {"replicas": 1}


async def test_scale_is_a_view_of_the_workload(client: LocalClient) -> None:
    await client.create(refs.DEPLOYMENTS, deployment())
    scale = await client.get(refs.DEPLOYMENTS, "web", "default", subresource="scale")
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    scale["spec"]["replicas"] = 4
    assert (await client.update(refs.DEPLOYMENTS, scale, subresource="scale"))["spec"] == {
        "replicas": 4
    }
    await client.patch(
        refs.DEPLOYMENTS, "web", {"spec": {"replicas": 2}}, "default", subresource="scale"
    )
    workload = await client.get(refs.DEPLOYMENTS, "web", "default")
    assert workload["spec"]["replicas"] == 2
    assert workload["metadata"]["generation"] == 3
    with pytest.raises(ApiError, match="must be greater than or equal to 0"):
        await client.patch(
            refs.DEPLOYMENTS, "web", {"spec": {"replicas": -1}}, "default", subresource="scale"
        )


async def test_dry_run_changes_nothing(server: Server, http: HttpClient) -> None:
    before = server.core.store.revision
    path = "/api/v1/namespaces/default/services?dryRun=All"
    made = await http.request("POST", path, service())
    assert made["spec"]["clusterIP"].startswith("127.99.20")
    assert server.core.store.revision == before
    real = await http.create(refs.SERVICES, service(clusterIP=made["spec"]["clusterIP"]))
    await http.request("DELETE", refs.SERVICES.path("default", "svc") + "?dryRun=All")
    path = refs.SERVICES.path("default", "svc") + "?dryRun=All"
    patched = await http.request(
        "PATCH", path, {"metadata": {"labels": {"a": "b"}}}, media="application/merge-patch+json"
    )
    assert patched["metadata"]["labels"] == {"a": "b"}
    assert await http.get(refs.SERVICES, "svc", "default") == real


async def test_finalizers_hold_an_object(client: LocalClient) -> None:
    wanted = configmap()
    wanted["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(refs.CONFIGMAPS, wanted)
    held = await client.delete(refs.CONFIGMAPS, "cm", "default")
    assert held["metadata"]["deletionTimestamp"]
    again = await client.delete(refs.CONFIGMAPS, "cm", "default")
    assert again["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]
    released = await client.patch(
        refs.CONFIGMAPS, "cm", {"metadata": {"finalizers": None}}, "default"
    )
    assert objects.name(released) == "cm"
    with pytest.raises(ApiError, match="not found"):
        await client.get(refs.CONFIGMAPS, "cm", "default")


@pytest.mark.parametrize(
    ("propagation", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
async def test_propagation_is_left_to_the_garbage_collector(
    client: LocalClient, propagation: Any, finalizer: str
) -> None:
    await client.create(refs.DEPLOYMENTS, deployment())
    held = await client.delete(refs.DEPLOYMENTS, "web", "default", propagation=propagation)
    assert held["metadata"]["finalizers"] == [finalizer]


async def test_pods_go_gracefully(client: LocalClient) -> None:
    await client.create(refs.PODS, pod(terminationGracePeriodSeconds=7))
    target = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}}
    await client.create(refs.PODS, target, "default", name="p", subresource="binding")
    bound = await client.get(refs.PODS, "p", "default")
    assert bound["spec"]["nodeName"] == "n"
    assert [c["type"] for c in bound["status"]["conditions"]] == ["PodScheduled"]
    going = await client.delete(refs.PODS, "p", "default")
    assert going["metadata"]["deletionGracePeriodSeconds"] == 7
    longer = await client.delete(refs.PODS, "p", "default", grace_seconds=60)
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 7
    shorter = await client.delete(refs.PODS, "p", "default", grace_seconds=1)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 1
    gone = await client.delete(refs.PODS, "p", "default", grace_seconds=0)
    assert gone["kind"] == "Pod"
    assert (await client.list(refs.PODS)).items == []


async def test_pods_without_a_node_go_at_once(client: LocalClient) -> None:
    await client.create(refs.PODS, pod())
    await client.delete(refs.PODS, "p", "default")
    assert (await client.list(refs.PODS)).items == []


async def test_a_pod_is_bound_once(client: LocalClient) -> None:
    await client.create(refs.PODS, pod())
    target = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}}
    await client.create(refs.PODS, target, "default", name="p", subresource="binding")
    with pytest.raises(ApiError, match='pod p is already assigned to node "n"'):
        await client.create(refs.PODS, target, "default", name="p", subresource="binding")


async def test_eviction_respects_budgets(client: LocalClient) -> None:
    made = await client.create(
        refs.PODS, {**pod(), "metadata": {"name": "p", "labels": {"a": "b"}}}, "default"
    )
    budgets = refs.Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
    }
    stored = await client.create(budgets, budget)
    full = {"disruptionsAllowed": 0, "desiredHealthy": 1, "currentHealthy": 1, "expectedPods": 1}
    stored = await client.update(budgets, {**stored, "status": full}, subresource="status")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    with pytest.raises(ApiError) as caught:
        await client.create(refs.PODS, eviction, "default", name="p", subresource="eviction")
    assert caught.value.code == 429
    await client.delete(budgets, "b", "default")
    await client.create(refs.PODS, eviction, "default", name="p", subresource="eviction")
    assert made["metadata"]["name"] not in {
        objects.name(p) for p in (await client.list(refs.PODS)).items
    }


async def test_namespaces_end_only_when_finalized(client: LocalClient) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    made = await client.create(refs.NAMESPACES, namespace)
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    going = await client.delete(refs.NAMESPACES, "n")
    assert going["status"]["phase"] == "Terminating"
    wanted = configmap()
    wanted["metadata"]["namespace"] = "n"
    with pytest.raises(ApiError, match="because it is being terminated") as caught:
        await client.create(refs.CONFIGMAPS, wanted)
    assert caught.value.code == 403
    await client.update(
        refs.NAMESPACES, {**going, "spec": {"finalizers": []}}, subresource="finalize"
    )
    with pytest.raises(ApiError, match='namespaces "n" not found'):
        await client.get(refs.NAMESPACES, "n")


async def test_namespaces_that_do_not_exist_or_must_stay(client: LocalClient) -> None:
    wanted = configmap()
    wanted["metadata"]["namespace"] = "nowhere"
    with pytest.raises(ApiError, match='namespaces "nowhere" not found'):
        await client.create(refs.CONFIGMAPS, wanted)
    with pytest.raises(ApiError, match="this namespace may not be deleted"):
        await client.delete(refs.NAMESPACES, "kube-system")


async def test_concurrent_patches_are_all_kept(client: LocalClient) -> None:
    await client.create(refs.CONFIGMAPS, configmap())
    patches = [
        client.patch(refs.CONFIGMAPS, "cm", {"data": {f"k{n}": "v"}}, "default") for n in range(20)
    ]
    await asyncio.gather(*patches)
    found = await client.get(refs.CONFIGMAPS, "cm", "default")
    assert len(found["data"]) == 20
