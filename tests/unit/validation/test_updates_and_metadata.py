"""Updates that are refused, names and metadata."""

from __future__ import annotations

import copy

import pytest

from meshcourse.embedded.apiserver import validation
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from tests.unit.validation.helpers import (
    ROLE_BINDINGS,
    ROLES,
    admitted,
    deployment,
    pod,
    pod_spec,
    service,
    wrong,
    wrong_update,
)

UPDATES: list[tuple[Resource, Object, Object, list[str]]] = [
    (
        refs.DEPLOYMENTS,
        deployment(),
        {
            "spec": {
                "selector": {"matchLabels": {"app": "y"}},
                "template": {"metadata": {"labels": {"app": "y"}}, **pod()},
            }
        },
        ['spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable'],
    ),
    (
        refs.SERVICES,
        service(clusterIP="10.0.0.1"),
        service(clusterIP="10.0.0.2"),
        ['spec.clusterIPs[0]: Invalid value: "10.0.0.2": may not change once set'],
    ),
    (
        refs.CONFIGMAPS,
        {"immutable": True, "data": {"a": "b"}},
        {"immutable": True, "data": {"a": "c"}},
        ["data: Forbidden: field is immutable when `immutable` is set"],
    ),
    (
        refs.SECRETS,
        {"type": "a/b"},
        {"type": "c/d"},
        ['type: Invalid value: "c/d": field is immutable'],
    ),
    (
        refs.PODS,
        pod_spec(),
        pod_spec(containers=[{"name": "a", "image": "b"}, {"name": "c", "image": "d"}]),
        ["spec.containers: Forbidden: pod updates may not add or remove containers"],
    ),
    (
        refs.JOBS,
        {"spec": {"template": pod_spec(restartPolicy="Never")}},
        {"spec": {"completions": 3, "template": pod_spec(restartPolicy="Never")}},
        ["spec.completions: Invalid value: 3: field is immutable"],
    ),
    (
        ROLE_BINDINGS,
        {"roleRef": {"kind": "Role", "name": "r"}},
        {"roleRef": {"kind": "Role", "name": "other"}},
        [
            'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"other"}: cannot '
            "change roleRef"
        ],
    ),
    (
        refs.STATEFULSETS,
        deployment(serviceName="a"),
        deployment(serviceName="b"),
        [
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
            "are forbidden"
        ],
    ),
]


@pytest.mark.parametrize(("resource", "old", "new", "expected"), UPDATES)
def test_bad_updates(resource: Resource, old: Object, new: Object, expected: list[str]) -> None:
    assert wrong_update(resource, old, new) == expected


@pytest.mark.parametrize(
    ("resource", "name", "expected"),
    [
        (refs.PODS, "a.b", []),
        (refs.SERVICES, "a-b", []),
        (ROLES, "system:a", []),
        (refs.NAMESPACES, "a.b", ['metadata.name: Invalid value: "a.b": must not contain dots']),
        (ROLES, "a/b", ["metadata.name: Invalid value: \"a/b\": may not contain '/'"]),
        (refs.CONFIGMAPS, "", ["metadata.name: Required value: name or generateName is required"]),
    ],
)
def test_names(resource: Resource, name: str, expected: list[str]) -> None:
    good = {
        "Pod": pod(),
        "Service": service(),
        "Role": {"rules": []},
    }.get(resource.kind, {})
    obj = admitted(resource, good)
    obj["metadata"]["name"] = name
    causes = validation.validate(resource, obj, None)
    assert [f"{cause.field}: {cause.message}" for cause in causes] == expected


def test_metadata() -> None:
    metadata = {
        "name": "x",
        "labels": {"a/b/c": "v", "ok": "bad value"},
        "annotations": {"UPPER.example.com/x": "fine", "bad key": "x"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1", "controller": True},
            {"apiVersion": "v1", "kind": "Pod", "name": "b", "uid": "", "controller": True},
        ],
    }
    found = wrong(refs.CONFIGMAPS, {"metadata": metadata})
    assert [line.partition(":")[0] for line in found] == [
        "metadata.labels",
        "metadata.labels",
        "metadata.annotations",
        "metadata.ownerReferences[1].uid",
        "metadata.ownerReferences",
    ]
    assert "a valid label must be an empty string or consist of alphanumeric characters" in found[1]
    assert found[3] == "metadata.ownerReferences[1].uid: Required value: must not be empty"
    assert found[4].endswith('Found "true" in references for Pod/a and Pod/b')


def test_scope_and_finalizers() -> None:
    namespaced = admitted(refs.NODES, {})
    namespaced["metadata"]["namespace"] = "n"
    (cause,) = validation.validate(refs.NODES, namespaced, None)
    assert (cause.field, cause.message) == (
        "metadata.namespace",
        "Forbidden: not allowed on this type",
    )
    old = admitted(refs.CONFIGMAPS, {})
    old["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a.b/c"]}
    new = copy.deepcopy(old)
    new["metadata"]["finalizers"] = ["a.b/c", "d.e/f"]
    (cause,) = validation.validate(refs.CONFIGMAPS, new, old)
    assert cause.message == (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        '[]string{"d.e/f"}'
    )


def test_custom_resources_are_checked_for_metadata_only() -> None:
    obj = {"metadata": {"name": "Bad", "namespace": "n"}, "spec": 5}
    (cause,) = validation.validate(refs.VIRTUALSERVICES, obj, None)
    assert cause.field == "metadata.name"
