"""Decoding of built-in kinds, in the words of Go's decoder and of field validation."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.apiserver import schemas
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource


def pod(**spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def container(**fields: Any) -> Object:
    return pod(containers=[{"name": "a", "image": "b", **fields}])


def service(**spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}


@pytest.mark.parametrize(
    ("resource", "obj", "detail"),
    [
        (
            refs.PODS,
            container(env=[{"name": "A", "value": 1}]),
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
        ),
        (
            refs.PODS,
            pod(containers="x"),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            refs.PODS,
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            refs.PODS,
            {"metadata": "x"},
            "json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta",
        ),
        (
            refs.PODS,
            {"spec": []},
            "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
        ),
        (
            refs.PODS,
            container(stdin="yes"),
            "json: cannot unmarshal string into Go struct field Container.spec.containers.stdin of type bool",
        ),
        (
            refs.PODS,
            pod(restartPolicy=True),
            "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            refs.PODS,
            pod(terminationGracePeriodSeconds=1.5),
            "json: cannot unmarshal number 1.5 into Go struct field "
            "PodSpec.spec.terminationGracePeriodSeconds of type int64",
        ),
        (
            refs.SERVICES,
            service(ports=[{"port": 1 << 40}]),
            "json: cannot unmarshal number 1099511627776 into Go struct field ServicePort.spec.ports.port of "
            "type int32",
        ),
        (
            refs.SERVICES,
            service(ports=[{"port": 80, "targetPort": True}]),
            "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
        ),
        (
            refs.SERVICES,
            service(ports={"port": 80}),
            "json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort",
        ),
        (
            refs.PODS,
            container(resources={"limits": {"cpu": "much"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (refs.SECRETS, {"data": {"k": "%%"}}, "illegal base64 data at input byte 0"),
        (
            refs.PODS,
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
    ],
)
def test_wrong_types(resource: Resource, obj: Object, detail: str) -> None:
    with pytest.raises(schemas.DecodeError) as refused:
        schemas.for_builtin(resource).decode(obj, mode="Ignore")
    assert refused.value.detail == detail
    assert refused.value.message == (
        f'{resource.kind} in version "v1" cannot be handled as a {resource.kind}: {detail}'
    )
    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")


def test_unknown_fields_by_mode() -> None:
    schema = schemas.for_builtin(refs.PODS)

    def given() -> Object:
        return {**container(imag="x", ports=[{"containerPort": 1, "porto": 2}]), "specs": {}}

    expected = ["specs", "spec.containers[0].imag", "spec.containers[0].ports[0].porto"]
    obj = given()
    warned = schema.decode(obj, mode="Warn")
    assert sorted(warned) == sorted(f'unknown field "{path}"' for path in expected)
    assert obj == container(ports=[{"containerPort": 1}])
    assert schema.decode(given(), mode="Ignore") == []
    with pytest.raises(schemas.DecodeError) as refused:
        schema.decode({"spec": {"x": 1}, "y": 2}, mode="Strict")
    assert refused.value.detail == (
        'strict decoding error: unknown field "spec.x", unknown field "y"'
    )


def test_nulls_are_absent() -> None:
    obj = {
        "metadata": {"name": "p", "creationTimestamp": None, "labels": {"a": None}},
        "spec": {"volumes": None, "containers": [{"name": "a", "resources": None}]},
    }
    assert schemas.for_builtin(refs.PODS).decode(obj, mode="Strict") == []
    assert obj == {
        "metadata": {"name": "p", "labels": {"a": ""}},
        "spec": {"containers": [{"name": "a"}]},
    }


def test_what_may_be_anything() -> None:
    crd = {
        "spec": {
            "versions": [
                {
                    "schema": {
                        "openAPIV3Schema": {
                            "default": [1, {"x": None}],
                            "items": {"type": "object"},
                        }
                    }
                }
            ]
        }
    }
    assert schemas.for_builtin(refs.CRDS).decode(crd, mode="Strict") == []
    revision = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
    obj = {"data": {"spec": {"anything": [1]}}, "revision": 3}
    assert schemas.for_builtin(revision).decode(obj, mode="Strict") == []


def test_only_built_in_kinds() -> None:
    with pytest.raises(LookupError, match="is not a built-in kind"):
        schemas.for_builtin(refs.VIRTUALSERVICES)


def test_structure_for_patches() -> None:
    containers = (
        schemas.for_builtin(refs.DEPLOYMENTS)
        .structure.child("spec")
        .child("template")
        .child("spec")
        .child("containers")
    )
    assert (containers.merge_key, containers.patch_strategy) == ("name", "merge")
    assert (containers.list_type, containers.list_map_keys) == ("map", ("name",))
    ports = containers.items().child("ports")
    assert ports.list_map_keys == ("containerPort", "protocol")
    assert ports.items().child("protocol").default == "TCP"
    spec = schemas.for_builtin(refs.DEPLOYMENTS).structure.child("spec")
    assert spec.child("strategy").patch_strategy == "retainKeys"
    assert spec.child("selector").map_type == "atomic"
    assert not spec.declares("nonsense")
    nothing = spec.child("nonsense").child("x").items()
    assert (nothing.merge_key, nothing.list_type) == ("", "")
