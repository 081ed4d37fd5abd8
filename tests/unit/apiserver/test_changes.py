"""Patches and applies through the server: what the pure tests of patches cannot see."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.apiserver.builders import configmap, definition, deployment, service, widget

WIDGETS = refs.Resource("example.com", "v1", "widgets", "Widget")


def managers(obj: Any) -> list[tuple[str, str, str]]:
    return [
        (entry["manager"], entry["operation"], entry.get("subresource", ""))
        for entry in obj["metadata"]["managedFields"]
    ]


async def apply(client: Any, obj: Any, manager: str = "me", **options: Any) -> Any:
    resource = {"ConfigMap": refs.CONFIGMAPS, "Deployment": refs.DEPLOYMENTS, "Widget": WIDGETS}
    return await client.patch(
        resource[obj["kind"]],
        objects.name(obj),
        obj,
        "default",
        kind="apply",
        field_manager=manager,
        **options,
    )


async def test_strategic_merge_knows_the_keys_of_containers(client: LocalClient) -> None:
    await client.create(refs.DEPLOYMENTS, deployment())
    env = [{"name": "A", "value": "1"}]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "env": env}]}}}}
    changed = await client.patch(refs.DEPLOYMENTS, "web", patch, "default", kind="strategic")
    container = changed["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == ("example/image:1", env)


async def test_custom_resources_have_no_strategic_merge(client: LocalClient) -> None:
    await client.create(refs.CRDS, definition())
    await client.create(WIDGETS, widget(size=1))
    with pytest.raises(ApiError) as caught:
        await client.patch(WIDGETS, "w", {"spec": {"size": 2}}, "default", kind="strategic")
    assert caught.value.code == 415
    changed = await client.patch(WIDGETS, "w", {"spec": {"size": 2}}, "default")
    assert changed["spec"]["size"] == 2


async def test_a_json_patch_that_fails_changes_nothing(client: LocalClient) -> None:
    made = await client.create(refs.CONFIGMAPS, configmap(a="1"))
    patch = [
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "test", "path": "/data/a", "value": "other"},
    ]
    with pytest.raises(ApiError) as caught:
        await client.patch(refs.CONFIGMAPS, "cm", patch, "default", kind="json")
    assert caught.value.code == 422
    assert await client.get(refs.CONFIGMAPS, "cm", "default") == made


async def test_a_patch_may_insist_on_a_version(client: LocalClient) -> None:
    made = await client.create(refs.CONFIGMAPS, configmap(a="1"))
    version = made["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "data": {"a": "2"}}
    await client.patch(refs.CONFIGMAPS, "cm", patch, "default")
    with pytest.raises(ApiError) as caught:
        await client.patch(refs.CONFIGMAPS, "cm", patch, "default")
    assert caught.value.code == 409


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"name": "other"}},
        {"metadata": {"namespace": "other"}},
        {"kind": "Secret"},
        {"apiVersion": "v2"},
    ],
)
async def test_a_patch_does_not_make_another_object(client: LocalClient, patch: Any) -> None:
    await client.create(refs.CONFIGMAPS, configmap(a="1"))
    with pytest.raises(ApiError) as caught:
        await client.patch(refs.CONFIGMAPS, "cm", patch, "default")
    assert caught.value.code == 400


async def test_a_patch_with_a_wrong_type_speaks_of_the_patch(client: LocalClient) -> None:
    await client.create(refs.DEPLOYMENTS, deployment())
    with pytest.raises(ApiError) as caught:
        await client.patch(refs.DEPLOYMENTS, "web", {"spec": {"replicas": "two"}}, "default")
    assert caught.value.code == 422
    assert caught.value.message.startswith(
        ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:two]]": '
    )
    assert "cannot unmarshal string into Go struct field" in caught.value.message


async def test_applying_creates_and_then_changes(client: LocalClient) -> None:
    made = await apply(client, configmap(a="1", b="2"))
    assert managers(made) == [("me", "Apply", "")]
    again = await apply(client, configmap(a="1", b="2"))
    assert again == made
    changed = await apply(client, configmap(a="3"))
    assert changed["data"] == {"a": "3"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]


async def test_conflicts_in_the_words_of_kubernetes(client: LocalClient) -> None:
    await apply(client, deployment(replicas=1))
    scaled = {"spec": {"replicas": 5}}
    await client.patch(refs.DEPLOYMENTS, "web", scaled, "default", field_manager="scaler")
    with pytest.raises(ApiError) as caught:
        await apply(client, deployment(replicas=2))
    assert caught.value.code == 409
    assert caught.value.message == (
        'Apply failed with 1 conflict: conflict with "scaler" using apps/v1: .spec.replicas'
    )
    assert caught.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "scaler" using apps/v1',
                "field": ".spec.replicas",
            }
        ]
    }
    forced = await apply(client, deployment(replicas=2), force=True)
    assert forced["spec"]["replicas"] == 2
    assert managers(forced) == [("me", "Apply", "")]


async def test_defaults_are_owned_by_updaters_not_by_appliers(client: LocalClient) -> None:
    applied = await apply(client, deployment("a"))
    created = await client.create(refs.DEPLOYMENTS, deployment("b"))
    (one,), (two,) = applied["metadata"]["managedFields"], created["metadata"]["managedFields"]
    assert "f:strategy" not in one["fieldsV1"]["f:spec"]
    assert "f:strategy" in two["fieldsV1"]["f:spec"]
    assert applied["spec"]["strategy"] == created["spec"]["strategy"]


async def test_status_is_managed_apart(client: LocalClient) -> None:
    await client.create(refs.CRDS, definition())
    await apply(client, widget(size=1))
    state = {**widget(), "status": {"phase": "Ready"}}
    del state["spec"]
    after = await apply(client, state, "controller", subresource="status")
    assert after["status"] == {"phase": "Ready"}
    assert after["spec"] == {"size": 1, "color": "red"}
    assert managers(after) == [("controller", "Apply", "status"), ("me", "Apply", "")]
    ignored = await apply(client, {**widget(size=1), "status": {"phase": "Broken"}})
    assert ignored["status"] == {"phase": "Ready"}


async def test_versions_of_a_custom_resource_share_owners(client: LocalClient) -> None:
    await client.create(refs.CRDS, definition())
    await apply(client, widget(size=1))
    beta = refs.Resource("example.com", "v1beta1", "widgets", "Widget")
    patched = await client.patch(beta, "w", {"spec": {"size": 2}}, "default", field_manager="beta")
    assert patched["apiVersion"] == "example.com/v1beta1"
    with pytest.raises(ApiError, match=r'conflict with "beta" using example\.com/v1beta1'):
        await apply(client, widget(size=3))


async def test_apply_needs_a_manager_and_no_managed_fields(http: HttpClient) -> None:
    media = "application/apply-patch+yaml"
    path = refs.CONFIGMAPS.path("default", "cm")
    with pytest.raises(ApiError, match="fieldManager: Required value: is required for apply patch"):
        await http.request("PATCH", path, configmap(), media=media)
    wrong = configmap()
    wrong["metadata"]["managedFields"] = [{"manager": "x"}]
    with pytest.raises(ApiError, match=r"metadata\.managedFields must be nil"):
        await apply(http, wrong)
    other = {**configmap(), "metadata": {"name": "other"}}
    with pytest.raises(ApiError, match="does not match the name on the URL"):
        await http.request("PATCH", path + "?fieldManager=x", other, media=media)


async def test_kubectl_takes_over_its_own_client_side_applies(client: LocalClient) -> None:
    note = "kubectl.kubernetes.io/last-applied-configuration"
    wanted = configmap(a="1")
    text = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm","namespace":"default"},"data":{"a":"1"}}'
    wanted["metadata"]["annotations"] = {note: text}
    await client.create(refs.CONFIGMAPS, wanted, field_manager="kubectl-client-side-apply")
    after = await apply(client, configmap(a="2"), "kubectl")
    assert after["data"] == {"a": "2"}
    assert '"a":"2"' in after["metadata"]["annotations"][note]
    with pytest.raises(ApiError, match='conflict with "kubectl"'):
        await apply(client, configmap(a="3"), "another")


async def test_the_record_can_be_wiped_but_not_lost(client: LocalClient) -> None:
    made = await client.create(refs.CONFIGMAPS, configmap(a="1"))
    without = objects.clone(made)
    del without["metadata"]["managedFields"]
    kept = await client.update(refs.CONFIGMAPS, {**without, "data": {"a": "2"}})
    assert managers(kept) == [("tester", "Update", "")]
    wiped = objects.clone(kept)
    wiped["metadata"]["managedFields"] = [{}]
    after = await client.update(refs.CONFIGMAPS, wiped)
    assert "managedFields" not in after["metadata"]
    with pytest.raises(ApiError, match='"before-first-apply" using v1'):
        await apply(client, configmap(a="9"))


async def test_yaml_is_accepted_for_applies(http: HttpClient) -> None:
    text = b"""
apiVersion: v1
kind: ConfigMap
metadata: {name: cm, labels: {since: 2020-01-01}}
data:
  answer: "yes"
  when: 2020-01-01
  on: off
"""
    path = refs.CONFIGMAPS.path("default", "cm") + "?fieldManager=y"
    session = http._open()
    headers = {
        "Authorization": f"Bearer {http._endpoint.bearer()}",
        "Content-Type": "application/apply-patch+yaml",
    }
    async with session.patch(http._endpoint.url + path, data=text, headers=headers) as response:
        assert response.status == 201
        found = await response.json()
    assert found["data"] == {"answer": "yes", "when": "2020-01-01", "on": "off"}


async def test_services_keep_their_addresses_through_changes(client: LocalClient) -> None:
    made = await client.create(refs.SERVICES, service(type="NodePort"))
    spec = made["spec"]
    assert 30000 <= spec["ports"][0]["nodePort"] <= 32767
    again = await client.update(refs.SERVICES, service(type="NodePort"))
    assert again["spec"]["clusterIP"] == spec["clusterIP"]
    assert again["spec"]["ports"] == spec["ports"]
    with pytest.raises(ApiError, match="may not change once set"):
        await client.patch(
            refs.SERVICES, "svc", {"spec": {"clusterIP": "127.99.200.77"}}, "default"
        )


async def test_addresses_and_ports_asked_for(client: LocalClient) -> None:
    made = await client.create(refs.SERVICES, service("a", clusterIP="127.99.200.50"))
    assert made["spec"]["clusterIPs"] == ["127.99.200.50"]
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        await client.create(refs.SERVICES, service("b", clusterIP="127.99.200.50"))
    with pytest.raises(ApiError, match="the provided IP is not in the valid range"):
        await client.create(refs.SERVICES, service("b", clusterIP="127.98.200.50"))
    ports = [{"port": 80, "nodePort": 80}]
    with pytest.raises(ApiError, match="The range of valid ports is 30000-32767"):
        await client.create(refs.SERVICES, service("b", type="NodePort", ports=ports))
    await client.delete(refs.SERVICES, "a", "default")
    await client.create(refs.SERVICES, service("b", clusterIP="127.99.200.50"))


async def test_a_refused_service_takes_nothing(client: LocalClient, server: Server) -> None:
    services = server.core.services
    before = set(services._taken_ips), set(services._taken_ports)
    bad = [{"port": 80, "name": "a"}, {"port": 81, "name": "b", "nodePort": 5}]
    for wanted in (
        service("x", type="NodePort", ports=bad),
        service("Bad_Name"),
        service("x", ports=[]),
    ):
        with pytest.raises(ApiError):
            await client.create(refs.SERVICES, wanted)
    assert (services._taken_ips, services._taken_ports) == before


async def test_headless_services_get_no_address(client: LocalClient) -> None:
    made = await client.create(refs.SERVICES, service(clusterIP="None"))
    assert made["spec"]["clusterIP"] == "None"
    external = {"type": "ExternalName", "externalName": "example.com"}
    named = await client.create(refs.SERVICES, service("x", **external))
    assert "clusterIP" not in named["spec"]
