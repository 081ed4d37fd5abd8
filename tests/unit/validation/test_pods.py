"""Rules of pods: what is refused, in which words."""

from __future__ import annotations

import pytest

from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from tests.unit.validation.helpers import PORT_RANGE, pod, pod_spec, wrong, wrong_update

BAD: list[tuple[Object, list[str]]] = [
    ({"spec": {}}, ["spec.containers: Required value"]),
    (pod(image=""), ["spec.containers[0].image: Required value"]),
    (
        pod(image=" x"),
        [
            'spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace'
        ],
    ),
    (
        pod_spec(containers=[{"name": "a", "image": "b"}, {"name": "a", "image": "c"}]),
        ['spec.containers[1].name: Duplicate value: "a"'],
    ),
    (
        pod(ports=[{"containerPort": 0}]),
        ["spec.containers[0].ports[0].containerPort: Required value"],
    ),
    (
        pod(ports=[{"containerPort": 70000}]),
        [f"spec.containers[0].ports[0].containerPort: Invalid value: 70000: {PORT_RANGE}"],
    ),
    (
        pod(ports=[{"containerPort": 80, "name": "a-very-long-port-name"}]),
        [
            'spec.containers[0].ports[0].name: Invalid value: "a-very-long-port-name": must be no more '
            "than 15 characters"
        ],
    ),
    (
        pod(ports=[{"containerPort": 80, "protocol": "HTTP"}]),
        [
            'spec.containers[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'
        ],
    ),
    (
        pod(imagePullPolicy="Sometimes"),
        [
            'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", '
            '"IfNotPresent", "Never"'
        ],
    ),
    (
        pod(
            env=[
                {
                    "name": "A",
                    "value": "1",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                }
            ]
        ),
        [
            'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'
        ],
    ),
    (
        pod(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]),
        [
            'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported '
            'values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", '
            '"spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
        ],
    ),
    (
        pod(volumeMounts=[{"name": "v", "mountPath": "/x"}]),
        ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ),
    (
        {
            "spec": {
                "volumes": [{"name": "v"}],
                "containers": [
                    {
                        "name": "a",
                        "image": "b",
                        "volumeMounts": [
                            {"name": "v", "mountPath": "/x"},
                            {"name": "v", "mountPath": "/x", "subPath": "../y"},
                        ],
                    }
                ],
            }
        },
        [
            'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/x": must be unique',
            "spec.containers[0].volumeMounts[1].subPath: Invalid value: \"../y\": must not contain '..'",
        ],
    ),
    (
        pod(resources={"requests": {"cpu": "500m"}, "limits": {"cpu": "0.25"}}),
        [
            'spec.containers[0].resources.requests: Invalid value: "500m": must be less than or equal to cpu limit '
            "of 0.25"
        ],
    ),
    (
        pod(resources={"limits": {"memory": "-1Mi"}}),
        [
            'spec.containers[0].resources.limits.memory: Invalid value: "-1Mi": must be greater than or equal to 0',
            'spec.containers[0].resources.requests.memory: Invalid value: "-1Mi": must be greater than or equal to 0',
        ],
    ),
    (
        pod(livenessProbe={}),
        ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
    ),
    (
        pod(
            livenessProbe={
                "tcpSocket": {"port": 80},
                "exec": {"command": ["x"]},
                "successThreshold": 2,
            }
        ),
        [
            "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ],
    ),
    (
        pod(readinessProbe={"httpGet": {"port": 0}, "initialDelaySeconds": -1}),
        [
            f"spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: {PORT_RANGE}",
            "spec.containers[0].readinessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or "
            "equal to 0",
        ],
    ),
    (
        pod_spec(
            initContainers=[
                {"name": "i", "image": "x", "livenessProbe": {"tcpSocket": {"port": 1}}}
            ]
        ),
        [
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always"
        ],
    ),
    (
        pod_spec(initContainers=[{"name": "a", "image": "x"}]),
        ['spec.initContainers[0].name: Duplicate value: "a"'],
    ),
    (
        pod_spec(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]),
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    (
        pod_spec(volumes=[{"name": "v", "secret": {}}]),
        ["spec.volumes[0].secret.secretName: Required value"],
    ),
    (
        pod_spec(
            volumes=[
                {
                    "name": "v",
                    "projected": {
                        "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]
                    },
                }
            ]
        ),
        [
            "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: may not "
            "specify a duration less than 10 minutes"
        ],
    ),
    (
        pod_spec(restartPolicy="Sometimes"),
        [
            'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'
        ],
    ),
    (
        pod_spec(tolerations=[{"key": "k", "tolerationSeconds": 5}]),
        [
            "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` "
            "is set"
        ],
    ),
]


@pytest.mark.parametrize(("obj", "expected"), BAD)
def test_bad_pods(obj: Object, expected: list[str]) -> None:
    assert wrong(refs.PODS, obj) == expected


def test_a_pod_may_change_little() -> None:
    assert wrong_update(refs.PODS, pod(), pod(image="new")) == []
    assert wrong_update(refs.PODS, pod(), pod_spec(activeDeadlineSeconds=5)) == []
    assert wrong_update(refs.PODS, pod(), pod_spec(nodeName="n")) == [], "the scheduler binds it"
    (refused,) = wrong_update(refs.PODS, pod(), pod(command=["x"]))
    assert refused.startswith(
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"
    )
    assert '"command":["x"]' in refused
    (moved,) = wrong_update(refs.PODS, pod_spec(nodeName="n"), pod_spec(nodeName="m"))
    assert '-  nodeName: "n"\n+  nodeName: "m"' in moved
