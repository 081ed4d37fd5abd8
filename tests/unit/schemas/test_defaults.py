"""Defaults of built-in kinds."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from meshcourse.embedded.apiserver import schemas
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

_TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "x"}]}}
_PVCS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")


def defaulted(resource: Resource, obj: Object) -> Object:
    made = copy.deepcopy(obj)
    schemas.for_builtin(resource).default(made)
    return made


@pytest.mark.parametrize(
    "kind", schemas.builtin_kinds(), ids=lambda kind: f"{kind.group}/{kind.kind}"
)
def test_defaults_may_run_again(kind: schemas.BuiltinKind) -> None:
    once = defaulted(kind.resource, {"metadata": {"name": "x"}})
    assert defaulted(kind.resource, once) == once


def test_pod() -> None:
    spec = defaulted(refs.PODS, _TEMPLATE)["spec"]
    assert spec["containers"][0] == {
        "name": "a",
        "image": "x",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always",
    }
    del spec["containers"]
    assert spec == {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:0123", "IfNotPresent"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    pod = defaulted(refs.PODS, {"spec": {"containers": [{"name": "a", "image": image}]}})
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_requests_come_from_limits_in_pods_only() -> None:
    spec = {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}]}
    pod = defaulted(refs.PODS, {"spec": spec})
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1"}
    deployment = defaulted(refs.DEPLOYMENTS, {"spec": {"template": {"spec": spec}}})
    found = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert "requests" not in found


def test_probes_and_volumes() -> None:
    spec: Any = {
        "containers": [{"name": "a", "readinessProbe": {"httpGet": {"port": 80}}}],
        "volumes": [{"name": "e"}, {"name": "s", "secret": {"secretName": "x"}}, _PROJECTED],
    }
    found = defaulted(refs.PODS, {"spec": spec})["spec"]
    assert found["containers"][0]["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert found["volumes"][0] == {"name": "e", "emptyDir": {}}
    assert found["volumes"][1]["secret"]["defaultMode"] == 420
    assert (
        found["volumes"][2]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"]
        == 3600
    )


_PROJECTED = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


def test_deployment() -> None:
    spec = defaulted(refs.DEPLOYMENTS, {"spec": {"template": _TEMPLATE}})["spec"]
    del spec["template"]
    assert spec == {
        "replicas": 1,
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        },
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    recreate = defaulted(refs.DEPLOYMENTS, {"spec": {"strategy": {"type": "Recreate"}}})
    assert recreate["spec"]["strategy"] == {"type": "Recreate"}
    assert defaulted(refs.DEPLOYMENTS, {"spec": {"replicas": 0}})["spec"]["replicas"] == 0


def test_service() -> None:
    spec = defaulted(refs.SERVICES, {"spec": {"ports": [{"port": 80}]}})["spec"]
    assert spec == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    }
    balanced = defaulted(refs.SERVICES, {"spec": {"type": "LoadBalancer"}})["spec"]
    assert (balanced["externalTrafficPolicy"], balanced["allocateLoadBalancerNodePorts"]) == (
        "Cluster",
        True,
    )
    external = defaulted(refs.SERVICES, {"spec": {"type": "ExternalName", "externalName": "a.b"}})[
        "spec"
    ]
    assert not {"ipFamilies", "internalTrafficPolicy"} & external.keys()


def test_secret_string_data_wins() -> None:
    secret = defaulted(refs.SECRETS, {"data": {"a": "b2xk"}, "stringData": {"a": "new"}})
    assert secret["data"] == {"a": "bmV3"}
    assert "stringData" not in secret
    assert secret["type"] == "Opaque"


def test_job_counts() -> None:
    assert _job({})["completions"] == 1
    assert "completions" not in _job({"parallelism": 3})
    assert _job({"backoffLimitPerIndex": 1})["backoffLimit"] == 2147483647
    assert _job({})["backoffLimit"] == 6


def _job(spec: Object) -> Object:
    found: Object = defaulted(refs.JOBS, {"spec": spec})["spec"]
    return found


def test_namespace_autoscaler_and_claim() -> None:
    namespace = defaulted(refs.NAMESPACES, {"metadata": {"name": "n"}})
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    autoscaler = defaulted(refs.HPAS, {"apiVersion": "autoscaling/v2", "spec": {"maxReplicas": 3}})
    assert autoscaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    claim = defaulted(_PVCS, {})
    assert (claim["spec"]["volumeMode"], claim["status"]["phase"]) == ("Filesystem", "Pending")
