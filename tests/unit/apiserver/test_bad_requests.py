"""Whatever is sent, the answer is a Status in Kubernetes' words, and nothing is stored half-way."""

from __future__ import annotations

import io
from typing import Any

import pytest

from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import refs
from tests.unit.apiserver.builders import configmap, deployment

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


async def send(
    http: HttpClient, method: str, path: str, body: Any = None, media: str = "application/json"
) -> tuple[int, Any, list[str]]:
    headers = {"Authorization": f"Bearer {http._endpoint.bearer()}", "Content-Type": media}
    data = body if isinstance(body, bytes) or body is None else None
    json = None if data is not None else body
    if json is not None:
        headers.pop("Content-Type")
    stream = None if data is None else io.BytesIO(data)
    async with http._open().request(
        method, http._endpoint.url + path, data=stream, json=json, headers=headers
    ) as response:
        text = await response.read()
        parsed = await response.json() if response.content_type == "application/json" else text
        return response.status, parsed, response.headers.getall("Warning", [])


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"\x00\xff\xfe",
        b"{}",
        b'{"kind": 1, "apiVersion": []}',
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":"x"}',
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":{}}}',
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":["x"]}}',
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"x":1}}}',
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":{"y":1}}}',
        b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}',
        b'{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"a"}}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 100000,
        b"k8s\x00garbage",
    ],
)
async def test_malformed_bodies(server: Server, http: HttpClient, body: bytes) -> None:
    before = server.core.store.revision
    for method, path, media in (
        ("POST", CONFIGMAPS, "application/json"),
        ("PUT", f"{CONFIGMAPS}/a", "application/json"),
        ("PATCH", f"{CONFIGMAPS}/a", "application/merge-patch+json"),
        ("PATCH", f"{CONFIGMAPS}/a?fieldManager=x", "application/apply-patch+yaml"),
    ):
        code, status, _ = await send(http, method, path, body, media)
        assert 400 <= code < 500, (method, code, status)
        assert status["kind"] == "Status"
        assert status["message"]
    assert server.core.store.revision == before


async def test_malformed_patches_of_what_exists(http: HttpClient) -> None:
    await http.create(refs.CONFIGMAPS, configmap("a", x="1"))
    for body, media in (
        (b"{", "application/json-patch+json"),
        (b"{}", "application/json-patch+json"),
        (b'[{"op":"nope"}]', "application/json-patch+json"),
        (b"[]", "application/merge-patch+json"),
        (b'{"data":5}', "application/merge-patch+json"),
        (b'{"metadata":null}', "application/merge-patch+json"),
        (b'{"metadata":{"finalizers":"x"}}', "application/strategic-merge-patch+json"),
        (b'{"$patch":"x"}', "application/strategic-merge-patch+json"),
        (b"a: [", "application/apply-patch+yaml"),
        (b"", "application/merge-patch+json"),
    ):
        code, status, _ = await send(http, "PATCH", f"{CONFIGMAPS}/a?fieldManager=x", body, media)
        assert 400 <= code < 500, (body, code, status)
    assert (await http.get(refs.CONFIGMAPS, "a", "default"))["data"] == {"x": "1"}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/apis/apps/v2/deployments", 404),
        ("GET", "/api/v1/nosuchthings", 404),
        ("GET", f"{CONFIGMAPS}/a/scale", 404),
        ("GET", f"{CONFIGMAPS}/a/status", 404),
        ("POST", f"{CONFIGMAPS}/a", 405),
        ("PUT", CONFIGMAPS, 405),
        ("PATCH", CONFIGMAPS, 405),
        ("POST", "/api/v1/configmaps", 405),
        ("GET", "/apis/authentication.k8s.io/v1/tokenreviews", 405),
        ("GET", f"{CONFIGMAPS}?limit=x", 400),
        ("GET", f"{CONFIGMAPS}?watch=1&resourceVersion=x", 400),
        ("DELETE", f"{CONFIGMAPS}/a?propagationPolicy=Sideways", 422),
        ("POST", f"{CONFIGMAPS}?dryRun=Some", 400),
        ("POST", f"{CONFIGMAPS}?fieldValidation=Maybe", 400),
        ("GET", "/api/v1/namespaces/default/pods/p/log", 404),
        ("OPTIONS", CONFIGMAPS, 405),
    ],
)
async def test_places_and_parameters_that_do_not_exist(
    http: HttpClient, method: str, path: str, code: int
) -> None:
    assert (await send(http, method, path))[0] == code


async def test_unknown_fields_by_mode(http: HttpClient) -> None:
    wanted = deployment()
    wanted["spec"]["replicass"] = 3
    code, status, _ = await send(http, "POST", f"{DEPLOYMENTS}?fieldValidation=Strict", wanted)
    assert code == 400
    assert status["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.replicass"'
    )
    code, made, warnings = await send(http, "POST", f"{DEPLOYMENTS}?dryRun=All", wanted)
    assert (code, "replicass" in made["spec"]) == (201, False)
    assert warnings == ['299 - "unknown field \\"spec.replicass\\""']
    path = f"{DEPLOYMENTS}?dryRun=All&fieldValidation=Ignore"
    assert (await send(http, "POST", path, wanted))[2] == []


async def test_wrong_types_and_names(http: HttpClient) -> None:
    wanted = deployment()
    wanted["spec"]["replicas"] = "two"
    code, status, _ = await send(http, "POST", DEPLOYMENTS, wanted)
    assert code == 400
    assert "json: cannot unmarshal string into Go struct field" in status["message"]
    code, status, _ = await send(http, "POST", CONFIGMAPS, configmap("Not_A_Name"))
    assert code == 422
    assert status["message"].startswith('ConfigMap "Not_A_Name" is invalid: metadata.name: ')
    assert status["details"]["kind"] == "ConfigMap"


async def test_objects_for_another_place(http: HttpClient) -> None:
    other = configmap()
    other["metadata"]["namespace"] = "other"
    _, status, _ = await send(http, "POST", CONFIGMAPS, other)
    assert status["message"] == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )
    stored = configmap()
    stored["metadata"]["resourceVersion"] = "1"
    _, status, _ = await send(http, "POST", CONFIGMAPS, stored)
    assert status["message"] == "resourceVersion should not be set on objects to be created"
    await http.create(refs.CONFIGMAPS, configmap("a"))
    _, status, _ = await send(http, "PUT", f"{CONFIGMAPS}/a", configmap("b"))
    assert "does not match the name on the URL (a)" in status["message"]


async def test_too_large_a_body(http: HttpClient) -> None:
    code, status, _ = await send(http, "POST", CONFIGMAPS, b" " * (9 * 1024 * 1024))
    assert (code, status["reason"]) == (413, "RequestEntityTooLarge")
    code, status, _ = await send(http, "POST", CONFIGMAPS, b"a", "text/csv")
    assert (code, status["reason"]) == (415, "UnsupportedMediaType")


async def test_yaml_that_would_fill_the_memory(http: HttpClient) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 12):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")
    media = "application/apply-patch+yaml"
    path = f"{CONFIGMAPS}/a?fieldManager=x"
    code, status, _ = await send(http, "PATCH", path, "\n".join(lines).encode(), media)
    assert code == 400
    assert "excessive aliasing" in status["message"]


async def test_logs_without_a_node(http: HttpClient, server: Server) -> None:
    await server.local("x").create(
        refs.PODS,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    )
    code, status, _ = await send(http, "GET", "/api/v1/namespaces/default/pods/p/log")
    assert (code, status["reason"]) == (503, "ServiceUnavailable")
