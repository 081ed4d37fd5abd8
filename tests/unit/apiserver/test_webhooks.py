from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.apiserver.builders import configmap, definition, pod, service, widget
from tests.unit.apiserver.hook_server import HookServer, Json, patch

WIDGETS = refs.Resource("example.com", "v1", "widgets", "Widget")


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[HookServer]:
    server = HookServer(tmp_path / "hooks")
    await server.start()
    yield server
    await server.stop()


def allow(request: Json) -> Json:
    return {"allowed": True}


async def install(client: LocalClient, hooks: HookServer, kind: str, *found: Json) -> None:
    resource = refs.MUTATING_WEBHOOKS if kind == "Mutating" else refs.VALIDATING_WEBHOOKS
    await client.create(resource, hooks.configuration(kind, *found))


async def test_a_mutating_webhook_patches(client: LocalClient, hooks: HookServer) -> None:
    added = {"op": "add", "path": "/data/added", "value": "yes"}
    hooks.on("/mutate", lambda request: {**patch(added), "warnings": ["be careful"]})
    await install(client, hooks, "Mutating", hooks.hook("/mutate"))
    made = await client.create(refs.CONFIGMAPS, configmap(a="1"))
    assert made["data"] == {"a": "1", "added": "yes"}
    (request,) = hooks.asked
    assert request["operation"] == "CREATE"
    assert request["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert request["namespace"] == "default"
    assert request["userInfo"]["username"] == "tester"
    assert request["object"]["data"] == {"a": "1"}
    assert request["oldObject"] is None
    assert request["dryRun"] is False


async def test_warnings_reach_the_client(
    http: HttpClient, client: LocalClient, hooks: HookServer
) -> None:
    hooks.on("/v", lambda request: {"allowed": True, "warnings": ["be careful"]})
    await install(client, hooks, "Validating", hooks.hook("/v"))
    session = http._open()
    headers = {"Authorization": f"Bearer {http._endpoint.bearer()}"}
    url = http._endpoint.url + refs.CONFIGMAPS.path("default")
    async with session.post(url, json=configmap(), headers=headers) as response:
        assert response.status == 201
        assert response.headers["Warning"] == '299 - "be careful"'


async def test_a_validating_webhook_refuses(client: LocalClient, hooks: HookServer) -> None:
    hooks.on("/v", lambda request: {"allowed": False, "status": {"message": "not like this"}})
    await install(client, hooks, "Validating", hooks.hook("/v"))
    with pytest.raises(ApiError) as caught:
        await client.create(refs.CONFIGMAPS, configmap())
    assert caught.value.message == (
        'admission webhook "v.example.com" denied the request: not like this'
    )
    assert caught.value.code == 400
    with pytest.raises(ApiError, match="not found"):
        await client.get(refs.CONFIGMAPS, "cm", "default")


async def test_refusals_without_words_and_with_codes(
    client: LocalClient, hooks: HookServer
) -> None:
    hooks.on("/v", lambda request: {"allowed": False})
    await install(client, hooks, "Validating", hooks.hook("/v"))
    with pytest.raises(ApiError, match="denied the request without explanation"):
        await client.create(refs.CONFIGMAPS, configmap())
    state = {"code": 403, "reason": "Forbidden", "message": "no"}
    hooks.on("/v", lambda request: {"allowed": False, "status": state})
    with pytest.raises(ApiError) as caught:
        await client.create(refs.CONFIGMAPS, configmap())
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")


async def test_updates_and_deletions_are_asked_about(
    client: LocalClient, hooks: HookServer
) -> None:
    rule = {
        "operations": ["*"],
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "resources": ["configmaps", "deployments/scale"],
        "scope": "Namespaced",
    }
    hooks.on("/v", allow)
    await install(client, hooks, "Validating", hooks.hook("/v", rules=[rule]))
    await client.create(refs.CONFIGMAPS, configmap(a="1"))
    await client.patch(refs.CONFIGMAPS, "cm", {"data": {"a": "2"}}, "default")
    await client.delete(refs.CONFIGMAPS, "cm", "default")
    create, update, delete = hooks.asked
    assert [create["operation"], update["operation"], delete["operation"]] == [
        "CREATE",
        "UPDATE",
        "DELETE",
    ]
    assert (update["oldObject"]["data"], update["object"]["data"]) == ({"a": "1"}, {"a": "2"})
    assert (delete["object"], delete["oldObject"]["data"]) == (None, {"a": "2"})


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"inject": "yes"}}}, False),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, True),
        (
            {"objectSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}},
            False,
        ),
        ({"rules": []}, False),
    ],
)
async def test_whom_a_webhook_is_for(
    client: LocalClient, hooks: HookServer, more: Json, asked: bool
) -> None:
    hooks.on("/v", allow)
    await install(client, hooks, "Validating", hooks.hook("/v", **more))
    await client.create(refs.CONFIGMAPS, configmap(labels={"app": "web"}))
    assert bool(hooks.asked) is asked


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operations", ["DELETE"]),
        ("apiGroups", ["apps"]),
        ("apiVersions", ["v2"]),
        ("resources", ["configmaps/status"]),
        ("scope", "Cluster"),
    ],
)
async def test_every_part_of_a_rule_must_match(
    client: LocalClient, hooks: HookServer, field: str, value: Any
) -> None:
    hook = hooks.hook("/v")
    hook["rules"][0][field] = value
    hooks.on("/v", allow)
    await install(client, hooks, "Validating", hook)
    await client.create(refs.CONFIGMAPS, configmap())
    assert hooks.asked == []


async def test_failure_policies(client: LocalClient, hooks: HookServer) -> None:
    dead = {"url": "https://127.0.0.1:1/x", "caBundle": hooks.ca_bundle}
    hook = hooks.hook("/v", clientConfig=dead)
    await install(client, hooks, "Validating", hook)
    with pytest.raises(ApiError) as caught:
        await client.create(refs.CONFIGMAPS, configmap())
    assert caught.value.code == 500
    assert caught.value.message == (
        'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: '
        'Post "https://127.0.0.1:1/x?timeout=5s": dial tcp 127.0.0.1:1: connect: connection refused'
    )
    configuration = await client.get(refs.VALIDATING_WEBHOOKS, "test")
    changed = objects.clone(configuration)
    changed["webhooks"][0]["failurePolicy"] = "Ignore"
    await client.update(refs.VALIDATING_WEBHOOKS, changed)
    await client.create(refs.CONFIGMAPS, configmap())


async def test_strangers_certificates_are_refused(
    client: LocalClient, hooks: HookServer, server: Server
) -> None:
    hooks.on("/v", allow)
    foreign = base64.b64encode(server.ca_path.read_bytes()).decode()
    config = {"url": f"https://127.0.0.1:{hooks.port}/v", "caBundle": foreign}
    await install(client, hooks, "Validating", hooks.hook("/v", clientConfig=config))
    with pytest.raises(ApiError, match="x509: certificate signed by unknown authority"):
        await client.create(refs.CONFIGMAPS, configmap())


async def test_slow_webhooks_time_out(client: LocalClient, hooks: HookServer) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass  # silence, until the caller gives up
        writer.close()
        await writer.wait_closed()

    stuck = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = stuck.sockets[0].getsockname()[1]
    config = {"url": f"https://127.0.0.1:{port}/", "caBundle": hooks.ca_bundle}
    hook = hooks.hook("/v", clientConfig=config, timeoutSeconds=1)
    await install(client, hooks, "Validating", hook)
    with pytest.raises(ApiError, match="context deadline exceeded"):
        await client.create(refs.CONFIGMAPS, configmap())
    stuck.close()
    await stuck.wait_closed()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"allowed": True, "uid": "another"}, "expected response.uid="),
        ({"allowed": True, "patchType": "JSONPatch", "patch": "!"}, "unable to decode the patch"),
        (patch({"op": "remove", "path": "/nowhere"}), "failed calling webhook"),
        ({}, "Webhook response was absent"),
    ],
)
async def test_answers_that_make_no_sense(
    client: LocalClient, hooks: HookServer, answer: Json, words: str
) -> None:
    hooks.on("/m", lambda request: dict(answer))
    await install(client, hooks, "Mutating", hooks.hook("/m"))
    with pytest.raises(ApiError) as caught:
        await client.create(refs.CONFIGMAPS, configmap())
    assert caught.value.code == 500
    assert words in caught.value.message


async def test_earlier_webhooks_may_be_asked_again(client: LocalClient, hooks: HookServer) -> None:
    def count(request: Json) -> Json:
        data = request["object"]["data"]
        number = str(int(data.get("count", "0")) + 1)
        return patch({"op": "add", "path": "/data/count", "value": number})

    hooks.on("/first", count)
    hooks.on("/second", lambda request: patch({"op": "add", "path": "/data/second", "value": "x"}))
    first = hooks.hook("/first", reinvocationPolicy="IfNeeded")
    await install(client, hooks, "Mutating", first, hooks.hook("/second"))
    made = await client.create(refs.CONFIGMAPS, configmap(a="1"))
    assert made["data"] == {"a": "1", "count": "2", "second": "x"}
    assert len(hooks.asked) == 3


async def test_dry_runs_need_webhooks_without_side_effects(
    http: HttpClient, client: LocalClient, hooks: HookServer
) -> None:
    hooks.on("/v", allow)
    await install(client, hooks, "Validating", hooks.hook("/v", sideEffects="NoneOnDryRun"))
    path = refs.CONFIGMAPS.path("default") + "?dryRun=All"
    await http.request("POST", path, configmap())
    assert hooks.asked[0]["dryRun"] is True


async def test_all_versions_of_a_kind_by_default(client: LocalClient, hooks: HookServer) -> None:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["example.com"],
        "apiVersions": ["v1"],
        "resources": ["widgets"],
    }
    hooks.on("/m", lambda request: patch({"op": "add", "path": "/spec/size", "value": 9}))
    await client.create(refs.CRDS, definition())
    await install(client, hooks, "Mutating", hooks.hook("/m", rules=[rule]))
    beta = refs.Resource("example.com", "v1beta1", "widgets", "Widget")
    made = await client.create(beta, widget(version="v1beta1"))
    assert (made["apiVersion"], made["spec"]["size"]) == ("example.com/v1beta1", 9)
    (request,) = hooks.asked
    assert request["kind"]["version"] == "v1"
    assert request["requestKind"]["version"] == "v1beta1"
    assert request["object"]["apiVersion"] == "example.com/v1"


async def test_exact_versions_on_request(client: LocalClient, hooks: HookServer) -> None:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["example.com"],
        "apiVersions": ["v1"],
        "resources": ["widgets"],
    }
    hooks.on("/v", allow)
    await client.create(refs.CRDS, definition())
    hook = hooks.hook("/v", rules=[rule], matchPolicy="Exact")
    await install(client, hooks, "Validating", hook)
    beta = refs.Resource("example.com", "v1beta1", "widgets", "Widget")
    await client.create(beta, widget(version="v1beta1"))
    assert hooks.asked == []


async def endpoints(client: LocalClient, hooks: HookServer, pod_name: str) -> None:
    found = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "hook-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "localhost"},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["127.99.0.5"],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod_name, "namespace": "default"},
            }
        ],
        "ports": [{"name": "", "port": 8443, "protocol": "TCP"}],
    }
    await client.create(refs.ENDPOINTSLICES, found)


async def test_a_service_leads_to_the_pod_behind_it(
    client: LocalClient, hooks: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks.on("/v", allow)
    config = {
        "service": {"name": "localhost", "namespace": "default", "path": "/v"},
        "caBundle": hooks.ca_bundle,
    }
    # The serving certificate of the test knows this name only.
    monkeypatch.setattr(
        "meshcourse.embedded.apiserver.admission.destinations.server_name", lambda name, ns: name
    )
    await install(client, hooks, "Validating", hooks.hook("/v", clientConfig=config))
    with pytest.raises(ApiError, match='service "localhost" not found'):
        await client.create(refs.CONFIGMAPS, configmap())
    ports = [{"port": 443, "targetPort": 8443}]
    await client.create(refs.SERVICES, service("localhost", ports=ports))
    with pytest.raises(ApiError, match='no endpoints available for service "localhost"'):
        await client.create(refs.CONFIGMAPS, configmap())
    note = addresses.PodAddresses("127.0.0.1", "127.0.0.1", {8443: (hooks.port, hooks.port)})
    wanted = pod("hook")
    wanted["metadata"]["annotations"] = {addresses.ANNOTATION: note.render()}
    await client.create(refs.PODS, wanted)
    await endpoints(client, hooks, "hook")
    await client.create(refs.CONFIGMAPS, configmap())
    assert len(hooks.asked) == 1


async def test_what_needs_cel_is_refused(client: LocalClient, hooks: HookServer) -> None:
    conditions = [{"name": "x", "expression": "true"}]
    hook = hooks.hook("/v", matchConditions=conditions)
    with pytest.raises(
        ApiError, match=r"webhooks\[0\]\.matchConditions: Forbidden: this API server"
    ):
        await install(client, hooks, "Validating", hook)


async def test_nobody_is_asked_about_webhooks_and_reviews(
    client: LocalClient, hooks: HookServer
) -> None:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    hooks.on("/v", lambda request: {"allowed": False})
    await install(client, hooks, "Validating", hooks.hook("/v", rules=[rule]))
    review = refs.Resource(
        "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False
    )
    await client.create(review, {"apiVersion": review.api_version, "kind": review.kind})
    await client.delete(refs.VALIDATING_WEBHOOKS, "test")
    await client.create(refs.CONFIGMAPS, configmap())
    assert hooks.asked == []


async def test_injected_containers_get_a_token_too(client: LocalClient, hooks: HookServer) -> None:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods"],
    }
    sidecar = {"name": "sidecar", "image": "example/proxy:1"}
    hooks.on(
        "/m", lambda request: patch({"op": "add", "path": "/spec/containers/-", "value": sidecar})
    )
    await install(client, hooks, "Mutating", hooks.hook("/m", rules=[rule]))
    made = await client.create(refs.PODS, pod())
    mounts = [container["volumeMounts"] for container in made["spec"]["containers"]]
    assert len(mounts) == 2
    assert mounts[0] == mounts[1]
    assert len(made["spec"]["volumes"]) == 1
    assert made["spec"]["containers"][1]["imagePullPolicy"] == "IfNotPresent"
