"""The official Python client against the cluster: typed, dynamic, watch, exec, port-forward."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.stream import portforward, stream

from meshcourse.embedded.daemon import launcher
from tests.integration.kubectl.conftest import APP, eventually


@pytest.fixture(autouse=True)
def _client_leaves_sockets_open() -> Iterator[None]:
    """The client's exec and port-forward never close their sockets; let that not count against the next test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def api(cluster: launcher.Handle) -> Iterator[Any]:
    with config.new_client_from_config(str(cluster.kubeconfig)) as found:
        yield found


@pytest.fixture(scope="module")
def namespace(api: Any) -> Iterator[str]:
    """A namespace in which `APP` runs."""
    core = client.CoreV1Api(api)
    name = "python-client"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    for document in yaml.safe_load_all(APP):
        utils.create_from_dict(api, document, namespace=name)
    apps = client.AppsV1Api(api)

    def ready() -> bool:
        return apps.read_namespaced_deployment("web", name).status.ready_replicas == 2

    eventually(ready, "the deployment is ready")
    yield name
    core.delete_namespace(name)


@pytest.fixture
def pod(api: Any, namespace: str) -> str:
    found = client.CoreV1Api(api).list_namespaced_pod(namespace, label_selector="app=web").items
    return str(found[0].metadata.name)


def test_typed_objects(api: Any, namespace: str) -> None:
    pods = client.CoreV1Api(api).list_namespaced_pod(namespace, label_selector="app=web").items
    assert [found.status.phase for found in pods] == ["Running", "Running"]
    slices = client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(namespace).items
    assert sum(len(found.endpoints) for found in slices) == 2
    scale = client.AppsV1Api(api).read_namespaced_deployment_scale("web", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (2, "app=web")


def test_pages(api: Any, namespace: str) -> None:
    core = client.CoreV1Api(api)
    first = core.list_namespaced_pod(namespace, limit=1)
    assert len(first.items) == 1
    assert first.metadata.remaining_item_count == 1
    rest = core.list_namespaced_pod(namespace, limit=1, _continue=first.metadata._continue)
    assert rest.items[0].metadata.name != first.items[0].metadata.name
    assert not rest.metadata._continue


def test_a_conflict(api: Any, namespace: str) -> None:
    apps = client.AppsV1Api(api)
    stale = apps.read_namespaced_deployment("web", namespace)
    stale.metadata.resource_version = "1"
    with pytest.raises(client.ApiException) as refused:
        apps.replace_namespaced_deployment("web", namespace, stale)
    assert refused.value.status == 409
    assert "the object has been modified" in str(refused.value.body)


def test_watch(api: Any, namespace: str) -> None:
    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(generate_name="seen-"), data={"a": "b"})
    timer = threading.Timer(0.2, lambda: core.create_namespaced_config_map(namespace, body))
    timer.start()
    watching = watch.Watch()
    found = None
    for event in watching.stream(core.list_namespaced_config_map, namespace, timeout_seconds=20):
        if event["object"].metadata.name.startswith("seen-"):
            found = event
            watching.stop()
    timer.join()
    assert found is not None
    assert (found["type"], found["object"].data) == ("ADDED", {"a": "b"})


def test_exec(api: Any, namespace: str, pod: str) -> None:
    core = client.CoreV1Api(api)
    command = ["sh", "-c", "echo out; echo err >&2"]
    said = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        namespace,
        command=command,
        stderr=True,
        stdout=True,
    )
    assert sorted(said.split()) == ["err", "out"]


def test_exec_with_input_and_exit_code(api: Any, namespace: str, pod: str) -> None:
    core = client.CoreV1Api(api)
    session = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        namespace,
        command=["sh"],
        stderr=True,
        stdin=True,
        stdout=True,
        _preload_content=False,
    )
    session.write_stdin("echo hi; exit 7\n")
    session.run_forever(timeout=20)
    assert session.read_stdout() == "hi\n"
    assert session.returncode == 7
    session.close()


def test_port_forward(api: Any, namespace: str, pod: str) -> None:
    core = client.CoreV1Api(api)
    forward = portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports="8080")
    connection = forward.socket(8080)
    connection.settimeout(20)
    connection.sendall(b"GET /get HTTP/1.0\r\n\r\n")
    answer = b""
    while part := connection.recv(65536):
        answer += part
    connection.close()
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert forward.error(8080) is None


def test_dynamic_client(api: Any, namespace: str) -> None:
    found = dynamic.DynamicClient(api)
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ssa"},
        "data": {"k": "v"},
    }
    applied = maps.server_side_apply(body=body, namespace=namespace, field_manager="course")
    assert applied.metadata.managedFields[0].manager == "course"
    types = [
        event["type"]
        for event in found.resources.get(api_version="v1", kind="Pod").watch(
            namespace=namespace, timeout=1
        )
    ]
    assert types == ["ADDED", "ADDED"]


def test_metrics(api: Any, namespace: str) -> None:
    custom = client.CustomObjectsApi(api)

    def measured() -> list[Any]:
        return list(
            custom.list_namespaced_custom_object("metrics.k8s.io", "v1beta1", namespace, "pods")[
                "items"
            ]
        )

    eventually(lambda: len(measured()) == 2, "both pods are measured")
    assert measured()[0]["containers"][0]["usage"]["memory"].endswith("Ki")
