"""Tables of the other kinds."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from meshcourse.embedded.apiserver import schemas, tables
from meshcourse.embedded.apiserver.tables import jsonpath
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource


def created() -> str:
    """Five hours before this moment (and not before that at which the file was read)."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ")


def named(**fields: Any) -> Object:
    return {"metadata": {"name": "x", "creationTimestamp": created()}, **fields}


def printed(resource: Resource, obj: Object) -> dict[str, Any]:
    """Cells by column name."""
    table = tables.table(resource, [obj])
    names = [column["name"] for column in table["columnDefinitions"]]
    (row,) = table["rows"]
    assert len(names) == len(row["cells"])
    return dict(zip(names, row["cells"], strict=True))


@pytest.mark.parametrize(
    "kind", schemas.builtin_kinds(), ids=lambda kind: f"{kind.group}/{kind.kind}"
)
def test_every_kind_prints_even_an_empty_object(kind: schemas.BuiltinKind) -> None:
    cells = printed(kind.resource, {"metadata": {"name": "x"}})
    assert cells["Name"] == "x"


def test_deployment() -> None:
    spec = {
        "replicas": 3,
        "selector": {
            "matchLabels": {"app": "x"},
            "matchExpressions": [{"key": "v", "operator": "In", "values": ["1"]}],
        },
        "template": {
            "spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "j"}]}
        },
    }
    status = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}
    assert printed(refs.DEPLOYMENTS, named(spec=spec, status=status)) == {
        "Name": "x",
        "Ready": "2/3",
        "Up-to-date": 3,
        "Available": 2,
        "Age": "5h",
        "Containers": "a,b",
        "Images": "i,j",
        "Selector": "app=x,v in (1)",
    }


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        (
            {"type": "ClusterIP", "clusterIP": "1.2.3.4"},
            {},
            ("ClusterIP", "1.2.3.4", "<none>", "<none>"),
        ),
        (
            {"type": "ClusterIP", "clusterIP": "None", "ports": [{"port": 80}]},
            {},
            ("ClusterIP", "None", "<none>", "80/TCP"),
        ),
        (
            {
                "type": "NodePort",
                "clusterIP": "1.2.3.4",
                "ports": [{"port": 80, "nodePort": 30080, "protocol": "UDP"}],
            },
            {},
            ("NodePort", "1.2.3.4", "<none>", "80:30080/UDP"),
        ),
        ({"type": "LoadBalancer"}, {}, ("LoadBalancer", "<none>", "<pending>", "<none>")),
        (
            {"type": "LoadBalancer"},
            {"loadBalancer": {"ingress": [{"ip": "127.66.240.1"}, {"hostname": "a.b"}]}},
            ("LoadBalancer", "<none>", "127.66.240.1,a.b", "<none>"),
        ),
        (
            {"type": "ExternalName", "externalName": "a.b"},
            {},
            ("ExternalName", "<none>", "a.b", "<none>"),
        ),
    ],
)
def test_service(spec: Object, status: Object, expected: tuple[str, ...]) -> None:
    cells = printed(refs.SERVICES, named(spec=spec, status=status))
    assert (cells["Type"], cells["Cluster-IP"], cells["External-IP"], cells["Port(s)"]) == expected


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({"completions": 1}, {}, ("Running", "0/1", "")),
        (
            {"completions": 2},
            {
                "succeeded": 2,
                "conditions": [{"type": "Complete", "status": "True"}],
                **{"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:01:30Z"},
            },
            ("Complete", "2/2", "90s"),
        ),
        (
            {"parallelism": 3},
            {"conditions": [{"type": "Failed", "status": "True"}]},
            ("Failed", "0/1 of 3", ""),
        ),
        (
            {"completions": 1},
            {"conditions": [{"type": "Suspended", "status": "True"}]},
            ("Suspended", "0/1", ""),
        ),
        (
            {"completions": 1},
            {"conditions": [{"type": "Complete", "status": "False"}]},
            ("Running", "0/1", ""),
        ),
    ],
)
def test_job(spec: Object, status: Object, expected: tuple[str, ...]) -> None:
    cells = printed(refs.JOBS, named(spec=spec, status=status))
    assert (cells["Status"], cells["Completions"], cells["Duration"]) == expected


def test_node() -> None:
    labels = {
        "node-role.kubernetes.io/control-plane": "",
        "node-role.kubernetes.io/b": "",
        "kubernetes.io/role": "a",
    }
    node = named(
        spec={"unschedulable": True},
        status={
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1"},
        },
    )
    node["metadata"]["labels"] = labels
    cells = printed(refs.NODES, node)
    assert (cells["Status"], cells["Roles"], cells["Version"]) == (
        "Ready,SchedulingDisabled",
        "a,b,control-plane",
        "v1",
    )
    assert printed(refs.NODES, named())["Status"] == "Unknown"


def test_event() -> None:
    event = named(
        type="Warning",
        reason="BackOff",
        message=" text\n",
        count=3,
        firstTimestamp=created(),
        lastTimestamp=created(),
        involvedObject={"kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}"},
        source={"component": "kubelet", "host": "n"},
    )
    assert list(printed(refs.EVENTS, event).values()) == [
        "5h", "Warning", "BackOff", "pod/p", "spec.containers{a}", "kubelet, n", "text", "5h", 3, "x",
    ]  # fmt: skip


def test_endpoint_slice_shortens() -> None:
    endpoints = [{"addresses": [f"10.0.0.{number}"]} for number in range(1, 6)]
    cells = printed(
        refs.ENDPOINTSLICES,
        named(addressType="IPv4", ports=[{"port": 80}, {"port": 443}], endpoints=endpoints),
    )
    assert cells["Ports"] == "80,443"
    assert cells["Endpoints"] == "10.0.0.1,10.0.0.2,10.0.0.3 + 2 more..."
    assert printed(refs.ENDPOINTSLICES, named())["Endpoints"] == "<unset>"


def test_autoscaler_targets() -> None:
    def targets(metric: Object, current: list[Object]) -> Any:
        spec = {
            "maxReplicas": 3,
            "metrics": [metric],
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        }
        cells = printed(refs.HPAS, named(spec=spec, status={"currentMetrics": current}))
        assert cells["Reference"] == "Deployment/web"
        return cells["Targets"]

    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}
    assert targets(cpu, []) == "cpu: <unknown>/80%"
    measured = {"type": "Resource", "resource": {"current": {"averageUtilization": 12}}}
    assert targets(cpu, [measured]) == "cpu: 12%/80%"
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "1Gi"}}}
    assert targets(memory, []) == "memory: <unknown>/1Gi"


def test_component_status() -> None:
    health = Resource("", "v1", "componentstatuses", "ComponentStatus", namespaced=False)
    healthy = {"type": "Healthy", "status": "True", "message": "ok"}
    assert list(printed(health, named(conditions=[healthy])).values()) == ["x", "Healthy", "ok", ""]
    assert printed(health, named())["Status"] == "Unknown"


def test_kinds_without_a_printer() -> None:
    role = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
    obj = named()
    made = obj["metadata"]["creationTimestamp"]
    assert printed(role, obj) == {"Name": "x", "Created At": made}


def test_what_a_row_carries() -> None:
    pod = {**named(), "spec": {"nodeName": "n"}}
    (whole,) = tables.table(refs.PODS, [pod], include="Object")["rows"]
    assert whole["object"] is pod
    (partial,) = tables.table(refs.PODS, [pod])["rows"]
    assert partial["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": pod["metadata"],
    }
    (bare,) = tables.table(refs.PODS, [pod], include="None")["rows"]
    assert "object" not in bare
    names = {
        column["name"]: column["priority"]
        for column in tables.table(refs.PODS, [])["columnDefinitions"]
    }
    assert (names["Status"], names["Node"]) == (0, 1)


def custom(columns: list[Object], obj: Object) -> list[Any]:
    table = tables.table(refs.VIRTUALSERVICES, [obj], crd_columns=columns)
    assert len(table["columnDefinitions"]) == len(table["rows"][0]["cells"])
    cells: list[Any] = table["rows"][0]["cells"]
    return cells[1:]


def test_custom_columns() -> None:
    obj = named(spec={"hosts": ["a", "b"], "n": 3, "f": 2.0, "on": True, "at": "bad"})
    columns = [
        {"name": "Hosts", "type": "string", "jsonPath": ".spec.hosts"},
        {"name": "N", "type": "integer", "jsonPath": ".spec.n"},
        {"name": "F", "type": "integer", "jsonPath": ".spec.f"},
        {"name": "On", "type": "boolean", "jsonPath": ".spec.on"},
        {"name": "Gone", "type": "string", "jsonPath": ".spec.missing.x"},
        {"name": "Wrong", "type": "integer", "jsonPath": ".spec.hosts"},
        {"name": "At", "type": "date", "jsonPath": ".spec.at"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
    ]
    assert custom(columns, obj) == ['["a","b"]', 3, 2, True, None, None, "<invalid>", "5h"]
    assert custom([], obj) == ["5h"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".a.b", [1]),
        ("a.b", [1]),
        ("{.a.b}", [1]),
        (".list[0].k", ["x"]),
        (".list[-1].k", ["y"]),
        (".list[*].k", ["x", "y"]),
        (".list[5].k", []),
        ("['a']['b']", [1]),
        (r".dotted\.name", ["d"]),
        (".['dotted.name']", ["d"]),
        ('.conds[?(@.type=="Ready")].status', ["True"]),
        (".conds[?(@.type!='Ready')].status", ["False"]),
        (".none.at.all", []),
    ],
)
def test_json_path(path: str, expected: list[Any]) -> None:
    obj = {
        "a": {"b": 1},
        "list": [{"k": "x"}, {"k": "y"}],
        "dotted.name": "d",
        "conds": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
    }
    assert jsonpath.find(obj, path) == expected


def test_json_path_that_is_not_supported() -> None:
    with pytest.raises(ValueError, match="unsupported JSONPath"):
        jsonpath.compile_path(".a..b")
