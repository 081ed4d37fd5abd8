"""OpenAPI documents as kubectl reads them."""

from __future__ import annotations

import copy
from typing import Any

import orjson

from meshcourse.embedded.apiserver import schemas
from meshcourse.embedded.apiserver.protobuf import wire
from meshcourse.embedded.kube.objects import Object

_CRD: Object = {
    "metadata": {"name": "routes.example.com", "uid": "u", "generation": 1},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "routes", "kind": "Route"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "description": "A route.",
                        "properties": {
                            "spec": {"type": "object", "properties": {"$ref": {"type": "string"}}}
                        },
                    }
                },
            },
            {"name": "v1alpha1", "served": False, "storage": False},
        ],
    },
}


def document(path: str, crds: list[Object] | None = None) -> Any:
    found = schemas.openapi_v3(path, crds or [])
    assert found is not None
    return orjson.loads(found)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def test_the_index_names_every_group_version() -> None:
    paths = schemas.openapi_v3_index([_CRD])["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/example.com/v1"} <= paths.keys()
    assert "apis/example.com/v1alpha1" not in paths
    url = paths["apis/apps/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/apps/v1?hash=")
    assert len(url.rpartition("=")[2]) == 64


def test_the_hash_changes_with_the_definition() -> None:
    changed = copy.deepcopy(_CRD)
    changed["metadata"]["generation"] = 2
    before, after = (schemas.openapi_v3_index([crd])["paths"] for crd in (_CRD, changed))
    assert before["apis/example.com/v1"] != after["apis/example.com/v1"]
    assert before["apis/apps/v1"] == after["apis/apps/v1"]


def test_a_document_is_complete() -> None:
    found = document("apis/apps/v1")
    components = found["components"]["schemas"]
    wanted = {name.rpartition("/")[2] for name in references(components)}
    assert wanted <= components.keys()
    deployment = components["io.k8s.api.apps.v1.Deployment"]
    assert deployment["x-kubernetes-group-version-kind"] == [
        {"group": "apps", "kind": "Deployment", "version": "v1"}
    ]
    assert "description" in deployment["properties"]["spec"]
    assert deployment["properties"]["spec"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}
    ]
    patch = found["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]


def test_a_custom_kind_has_what_every_object_has() -> None:
    found = document("apis/example.com/v1", [_CRD])
    schema = found["components"]["schemas"]["com.example.v1.Route"]
    assert schema["description"] == "A route."
    assert schema["properties"]["metadata"]["allOf"][0]["$ref"].endswith("ObjectMeta")
    assert schema["properties"]["spec"]["properties"]["$ref"] == {"type": "string"}
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in found["components"]["schemas"]


def test_documents_are_made_once() -> None:
    assert schemas.openapi_v3("apis/batch/v1") is schemas.openapi_v3("apis/batch/v1")
    assert schemas.openapi_v3("apis/nonsense/v1") is None


def test_version_two_in_protobuf() -> None:
    fields = list(wire.fields(schemas.openapi_v2([_CRD])))
    assert fields[0] == (1, b"2.0")
    paths = [
        wire.raw(value) for number, value in wire.fields(wire.raw(dict(fields)[8])) if number == 2
    ]
    named = {wire.text(dict(wire.fields(path))[1]) for path in paths}
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}" in named
    assert "/apis/example.com/v1/namespaces/{namespace}/routes/{name}" in named
