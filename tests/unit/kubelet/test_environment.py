"""A container's environment: order, references, expansion, what is missing."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from meshcourse.embedded.kubelet.pods import environment
from meshcourse.embedded.kubelet.pods.environment import ConfigError, Sources

POD: dict[str, Any] = {
    "metadata": {
        "name": "web-1",
        "namespace": "shop",
        "uid": "u1",
        "labels": {"app": "web", "version": "v1"},
        "annotations": {"note": 'say "hi"'},
    },
    "spec": {"nodeName": "n1", "serviceAccountName": "web"},
}
CONFIG = {"data": {"COLOUR": "blue", "SIZE": "9"}}
SECRET = {"data": {"PASSWORD": base64.b64encode(b"s3cret").decode()}}


def sources(**changes: Any) -> Sources:
    known: dict[str, Any] = {
        "pod": POD,
        "fields": {"status.podIP": "127.66.0.5"},
        "configmap": {"settings": CONFIG}.get,
        "secret": {"login": SECRET}.get,
        "services": [],
        "capacity": {"cpu": "4", "memory": "1024Mi"},
    }
    return Sources(**{**known, **changes})


def build(*env: dict[str, Any], **container: Any) -> dict[str, str]:
    return environment.build(
        {"BASE": "b"}, {"name": "app", "env": list(env), **container}, sources()
    )


def test_later_values_win_and_may_refer_to_earlier_ones() -> None:
    found = build(
        {"name": "A", "value": "$(BASE)-1"},
        {"name": "B", "value": "$(A)/$(NOBODY)/$$(A)"},
        {"name": "BASE", "value": "own"},
    )
    assert found == {"BASE": "own", "A": "b-1", "B": "b-1/$(NOBODY)/$(A)"}


def test_fields_of_the_pod() -> None:
    def field(path: str) -> dict[str, Any]:
        return {"name": path, "valueFrom": {"fieldRef": {"fieldPath": path}}}

    paths = [
        "metadata.name",
        "metadata.namespace",
        "metadata.labels['version']",
        "metadata.annotations['note']",
        "metadata.labels['none']",
        "spec.serviceAccountName",
        "status.podIP",
    ]
    found = build(*map(field, paths))
    assert [found[path] for path in paths] == [
        "web-1",
        "shop",
        "v1",
        'say "hi"',
        "",
        "web",
        "127.66.0.5",
    ]
    with pytest.raises(ConfigError, match=r"unsupported fieldPath: spec\.containers"):
        build(field("spec.containers"))


def test_all_labels_as_the_downward_api_writes_them() -> None:
    assert environment.field("metadata.labels", POD, {}) == 'app="web"\nversion="v1"'
    assert environment.field("metadata.annotations", POD, {}) == 'note="say \\"hi\\""'


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "0", "1"),
        ("limits.cpu", "1m", "250"),
        ("requests.memory", "1Mi", "64"),
        ("limits.memory", "1", str(1024 << 20)),
    ],
)
def test_resources_with_a_divisor_rounded_up(resource: str, divisor: str, value: str) -> None:
    ref = {"resource": resource, "divisor": divisor}
    resources = {"limits": {"cpu": "250m"}, "requests": {"memory": "64Mi"}}
    found = build({"name": "X", "valueFrom": {"resourceFieldRef": ref}}, resources=resources)
    assert found["X"] == value


def test_keys_of_configmaps_and_secrets() -> None:
    found = build(
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "COLOUR"}}},
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": "login", "key": "PASSWORD"}}},
    )
    assert (found["C"], found["P"]) == ("blue", "s3cret")


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ({"configMapKeyRef": {"name": "gone", "key": "k"}}, 'configmap "gone" not found'),
        ({"secretKeyRef": {"name": "gone", "key": "k"}}, 'secret "gone" not found'),
        (
            {"configMapKeyRef": {"name": "settings", "key": "k"}},
            "couldn't find key k in ConfigMap shop/settings",
        ),
    ],
)
def test_what_is_missing_is_an_error_unless_optional(ref: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"name": "X", "valueFrom": ref})
    assert caught.value.message == message
    (kind,) = ref
    optional = {kind: {**ref[kind], "optional": True}}
    assert "X" not in build({"name": "X", "valueFrom": optional})


def test_env_from_with_a_prefix_comes_before_env() -> None:
    found = build(
        {"name": "MY_SIZE", "value": "10"},
        envFrom=[
            {"prefix": "MY_", "configMapRef": {"name": "settings"}},
            {"secretRef": {"name": "gone", "optional": True}},
        ],
    )
    assert (found["MY_COLOUR"], found["MY_SIZE"]) == ("blue", "10")
    with pytest.raises(ConfigError, match='configmap "gone" not found'):
        build(envFrom=[{"configMapRef": {"name": "gone"}}])


def test_services_of_the_namespace_as_variables() -> None:
    service = {
        "metadata": {"name": "my-db"},
        "spec": {"clusterIP": "127.66.200.9", "ports": [{"name": "sql", "port": 3306}]},
    }
    headless = {"metadata": {"name": "none"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}
    found = environment.build({}, {"name": "app"}, sources(services=[service, headless]))
    assert found == {
        "MY_DB_SERVICE_HOST": "127.66.200.9",
        "MY_DB_SERVICE_PORT": "3306",
        "MY_DB_SERVICE_PORT_SQL": "3306",
        "MY_DB_PORT": "tcp://127.66.200.9:3306",
        "MY_DB_PORT_3306_TCP": "tcp://127.66.200.9:3306",
        "MY_DB_PORT_3306_TCP_PROTO": "tcp",
        "MY_DB_PORT_3306_TCP_PORT": "3306",
        "MY_DB_PORT_3306_TCP_ADDR": "127.66.200.9",
    }
    off = {**POD, "spec": {"enableServiceLinks": False}}
    assert environment.build({}, {"name": "app"}, sources(services=[service], pod=off)) == {}
