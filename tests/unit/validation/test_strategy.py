"""What the system sets when objects are created and replaced."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from meshcourse.embedded.apiserver import validation
from meshcourse.embedded.apiserver.validation import quantities
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource


def created(resource: Resource, obj: Object, **options: Any) -> Object:
    made = copy.deepcopy(obj)
    made.setdefault("metadata", {"name": "x", "uid": "u"})
    validation.prepare_create(resource, made, **options)
    return made


def test_status_is_not_the_creators_to_set() -> None:
    assert created(refs.DEPLOYMENTS, {"status": {"replicas": 9}})["status"] == {}
    assert created(refs.SERVICES, {"status": {"x": 1}})["status"] == {"loadBalancer": {}}
    assert created(refs.NODES, {"status": {"phase": "x"}})["status"] == {"phase": "x"}
    assert created(refs.CONFIGMAPS, {"data": {}}) == {
        "data": {},
        "metadata": {"name": "x", "uid": "u"},
    }


def test_custom_resources() -> None:
    with_status = created(refs.VIRTUALSERVICES, {"status": {"a": 1}}, status_subresource=True)
    assert "status" not in with_status
    assert with_status["metadata"]["generation"] == 1
    plain = created(refs.VIRTUALSERVICES, {"status": {"a": 1}}, status_subresource=False)
    assert plain["status"] == {"a": 1}


def test_pod() -> None:
    found = created(refs.PODS, {"spec": {"tolerations": [{"key": "mine", "operator": "Exists"}]}})
    assert found["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    keys = [each["key"] for each in found["spec"]["tolerations"]]
    assert keys == ["mine", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    everything = created(refs.PODS, {"spec": {"tolerations": [{"operator": "Exists"}]}})
    assert everything["spec"]["tolerations"] == [{"operator": "Exists"}]


def test_namespace_and_job() -> None:
    namespace = created(refs.NAMESPACES, {})
    assert (namespace["spec"], namespace["status"]) == (
        {"finalizers": ["kubernetes"]},
        {"phase": "Active"},
    )
    job = created(refs.JOBS, {"spec": {"template": {"spec": {}}}})
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    assert job["spec"]["template"]["metadata"]["labels"] == {
        "batch.kubernetes.io/controller-uid": "u",
        "batch.kubernetes.io/job-name": "x",
        "controller-uid": "u",
        "job-name": "x",
    }
    manual = {
        "spec": {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": {}}
    }
    assert created(refs.JOBS, manual)["spec"] == manual["spec"]


def updated(resource: Resource, old: Object, new: Object) -> Object:
    before = {"metadata": {"name": "x", "generation": 4}, **old}
    after = {"metadata": {"name": "x"}, **copy.deepcopy(new)}
    validation.prepare_update(resource, after, before)
    return after


@pytest.mark.parametrize(
    ("resource", "old", "new", "generation"),
    [
        (refs.DEPLOYMENTS, {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, 5),
        (refs.DEPLOYMENTS, {"spec": {"replicas": 1}}, {"spec": {"replicas": 1}}, 4),
        (
            refs.DEPLOYMENTS,
            {"spec": {}},
            {"spec": {}, "metadata": {"name": "x", "annotations": {"a": "b"}}},
            5,
        ),
        (
            refs.DEPLOYMENTS,
            {"spec": {}},
            {"spec": {}, "metadata": {"name": "x", "labels": {"a": "b"}}},
            4,
        ),
        (refs.VIRTUALSERVICES, {"spec": {"a": 1}}, {"spec": {"a": 2}}, 5),
        (refs.MUTATING_WEBHOOKS, {"webhooks": []}, {"webhooks": [{}]}, 5),
        (refs.CONFIGMAPS, {"data": {}}, {"data": {"a": "b"}}, None),
    ],
)
def test_generation(resource: Resource, old: Object, new: Object, generation: int | None) -> None:
    assert updated(resource, old, new)["metadata"].get("generation") == generation


def test_an_update_keeps_status() -> None:
    assert updated(refs.DEPLOYMENTS, {"status": {"a": 1}}, {"status": {"a": 2}})["status"] == {
        "a": 1
    }
    assert "status" not in updated(refs.DEPLOYMENTS, {}, {"status": {"a": 2}})


def test_a_service_keeps_its_addresses() -> None:
    old = {
        "spec": {
            "type": "NodePort",
            "clusterIP": "1.1.1.1",
            "clusterIPs": ["1.1.1.1"],
            "ports": [_PORT],
        }
    }
    kept = updated(
        refs.SERVICES,
        old,
        {"spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}},
    )
    assert (kept["spec"]["clusterIP"], kept["spec"]["ports"]) == ("1.1.1.1", [_PORT])
    inner = updated(refs.SERVICES, old, {"spec": {**old["spec"], "type": "ClusterIP"}})
    assert inner["spec"]["ports"] == [{"port": 80, "protocol": "TCP"}]
    outside = updated(
        refs.SERVICES, old, {"spec": {**old["spec"], "type": "ExternalName", "externalName": "a.b"}}
    )
    assert "clusterIP" not in outside["spec"]


_PORT = {"port": 80, "protocol": "TCP", "nodePort": 30080}


def test_a_namespace_keeps_its_finalizers() -> None:
    old = {"spec": {"finalizers": ["kubernetes"]}}
    assert updated(refs.NAMESPACES, old, {"spec": {}})["spec"] == {"finalizers": ["kubernetes"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("500m", 0.5),
        ("1.5", 1.5),
        ("1Ki", 1024),
        ("2Gi", 2 * 1024**3),
        ("1k", 1000),
        ("1e3", 1000),
        ("-1", -1),
        (2, 2),
        ("x", None),
        ("1x", None),
    ],
)
def test_quantities(text: Any, value: float | None) -> None:
    found = quantities.value(text)
    assert (None if found is None else float(found)) == value


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"requests": {"memory": "1"}}], "Burstable"),
    ],
)
def test_quality_of_service(resources: list[Object], expected: str) -> None:
    spec = {
        "containers": [
            {"name": str(number), "resources": each} for number, each in enumerate(resources)
        ]
    }
    assert quantities.qos_class(spec) == expected
