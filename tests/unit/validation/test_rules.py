"""Rules of the other built-in kinds: what is refused, in which words, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from tests.unit.validation.helpers import (
    PDBS,
    POLICIES,
    PORT_RANGE,
    PVCS,
    PVS,
    ROLE_BINDINGS,
    ROLES,
    deployment,
    pod,
    pod_spec,
    service,
    wrong,
    wrong_update,
)


def webhook(**fields: Any) -> Object:
    found = {
        "name": "a.b.c",
        "clientConfig": {"service": {"name": "s", "namespace": "n"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [
            {
                "operations": ["CREATE"],
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods"],
            }
        ],
        **fields,
    }
    return {"webhooks": [found]}


GOOD = [
    (
        refs.PODS,
        pod(ports=[{"containerPort": 80, "name": "http"}], env=[{"name": "A", "value": "1"}]),
    ),
    (
        refs.PODS,
        pod_spec(
            volumes=[{"name": "v", "configMap": {"name": "c"}}],
            initContainers=[
                {
                    "name": "i",
                    "image": "x",
                    "restartPolicy": "Always",
                    "readinessProbe": {"tcpSocket": {"port": 1}},
                }
            ],
        ),
    ),
    (refs.DEPLOYMENTS, deployment()),
    (refs.DEPLOYMENTS, deployment(strategy={"type": "Recreate"})),
    (refs.SERVICES, service()),
    (refs.SERVICES, {"spec": {"clusterIP": "None"}}),
    (refs.SERVICES, {"spec": {"type": "ExternalName", "externalName": "a.b.c"}}),
    (refs.SERVICES, service(type="NodePort", ports=[{"port": 80, "nodePort": 30000}])),
    (refs.JOBS, {"spec": {"template": pod_spec(restartPolicy="Never")}}),
    (
        refs.CRONJOBS,
        {
            "spec": {
                "schedule": "*/5 * * * *",
                "jobTemplate": {"spec": {"template": pod_spec(restartPolicy="Never")}},
            }
        },
    ),
    (refs.CONFIGMAPS, {"data": {"a.b_c-d": "x"}}),
    (refs.SECRETS, {"stringData": {"k": "v"}}),
    (refs.NAMESPACES, {}),
    (
        refs.HPAS,
        {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}},
    ),
    (refs.MUTATING_WEBHOOKS, webhook()),
    (refs.VALIDATING_WEBHOOKS, webhook(clientConfig={"url": "https://x.example/y"})),
    (
        ROLES,
        {
            "metadata": {"name": "system:x"},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
        },
    ),
    (
        ROLE_BINDINGS,
        {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]},
    ),
    (
        PVCS,
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    ),
    (
        PVS,
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": "/x"},
            }
        },
    ),
    (
        refs.ENDPOINTSLICES,
        {
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.66.0.5"]}],
            "ports": [{"port": 80}],
        },
    ),
    (refs.LEASES, {"spec": {"leaseDurationSeconds": 15}}),
]


@pytest.mark.parametrize(("resource", "obj"), GOOD)
def test_good_objects(resource: Resource, obj: Object) -> None:
    assert wrong(resource, obj) == []
    assert wrong_update(resource, obj, obj) == []


BAD: list[tuple[Resource, Object, list[str]]] = [
    (
        refs.DEPLOYMENTS,
        deployment(labels={"app": "y"}),
        [
            'spec.template.metadata.labels: Invalid value: {"app":"y"}: `selector` does not match template `labels`'
        ],
    ),
    (
        refs.DEPLOYMENTS,
        deployment(selector={}),
        ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
    ),
    (
        refs.DEPLOYMENTS,
        deployment(replicas=-1),
        ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        refs.DEPLOYMENTS,
        deployment(progressDeadlineSeconds=5, minReadySeconds=5),
        ["spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"],
    ),
    (
        refs.DEPLOYMENTS,
        deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        [
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"
        ],
    ),
    (
        refs.DEPLOYMENTS,
        deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}),
        [
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'
        ],
    ),
    (
        refs.DEPLOYMENTS,
        deployment(strategy={"rollingUpdate": {"maxSurge": "many"}}),
        [
            'spec.strategy.rollingUpdate.maxSurge: Invalid value: "many": a valid percent string must be a numeric '
            "string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        ],
    ),
    (
        refs.DEPLOYMENTS,
        {
            "spec": {
                **deployment()["spec"],
                "template": {
                    "metadata": {"labels": {"app": "x"}},
                    **pod_spec(restartPolicy="Never"),
                },
            }
        },
        [
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
        ],
    ),
    (refs.SERVICES, {"spec": {}}, ["spec.ports: Required value"]),
    (
        refs.SERVICES,
        service(ports=[{"port": 0}]),
        [
            f"spec.ports[0].port: Invalid value: 0: {PORT_RANGE}",
            f"spec.ports[0].targetPort: Invalid value: 0: {PORT_RANGE}",
        ],
    ),
    (
        refs.SERVICES,
        service(ports=[{"port": 80}, {"port": 81}]),
        ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
    ),
    (
        refs.SERVICES,
        service(ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "a"}]),
        [
            'spec.ports[1].name: Duplicate value: "a"',
            'spec.ports[1]: Duplicate value: {"AppProtocol":null,"Name":"","NodePort":0,"Port":80,"Protocol":"TCP",'
            '"TargetPort":0}',
        ],
    ),
    (
        refs.SERVICES,
        service(ports=[{"port": 80, "nodePort": 30000}]),
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    (
        refs.SERVICES,
        service(type="Local"),
        [
            'spec.type: Unsupported value: "Local": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
            '"NodePort"'
        ],
    ),
    (
        refs.SERVICES,
        service(clusterIP="300.1.1.1"),
        [
            'spec.clusterIPs[0]: Invalid value: "300.1.1.1": must be a valid IP address, (e.g. 10.9.8.7 or '
            "2001:db8::ffff)"
        ],
    ),
    (
        refs.SERVICES,
        service(externalTrafficPolicy="Local"),
        [
            'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'
        ],
    ),
    (
        refs.JOBS,
        {"spec": {"template": pod_spec()}},
        ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ),
    (
        refs.CRONJOBS,
        {
            "spec": {
                "schedule": "* * *",
                "jobTemplate": {"spec": {"template": pod_spec(restartPolicy="Never")}},
            }
        },
        ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]'],
    ),
    (
        refs.SECRETS,
        {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}},
        ["data[tls.key]: Required value"],
    ),
    (
        refs.CONFIGMAPS,
        {"data": {"big": "x" * (1024 * 1024 + 1)}},
        [": Too long: may not be more than 1048576 bytes"],
    ),
    (
        refs.HPAS,
        {"spec": {"minReplicas": 3, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment"}}},
        [
            "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`",
            "spec.scaleTargetRef.name: Required value",
        ],
    ),
    (
        refs.MUTATING_WEBHOOKS,
        webhook(name="short"),
        [
            'webhooks[0].name: Invalid value: "short": should be a domain with at least three segments separated by '
            "dots"
        ],
    ),
    (
        refs.VALIDATING_WEBHOOKS,
        webhook(sideEffects="Some", timeoutSeconds=60, clientConfig={"url": "http://x"}),
        [
            'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
            "webhooks[0].timeoutSeconds: Invalid value: 60: the timeout value must be between 1 and 30 seconds",
            "webhooks[0].clientConfig.url: Invalid value: \"http://x\": 'https' is the only allowed URL scheme; "
            "desired format: https://host[/path]",
        ],
    ),
    (
        refs.MUTATING_WEBHOOKS,
        webhook(clientConfig={}),
        ["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
    ),
    (
        ROLES,
        {"rules": [{"verbs": [], "apiGroups": [], "resources": []}]},
        [
            "rules[0].verbs: Required value: verbs must contain at least one value",
            "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
            "rules[0].resources: Required value: resource rules must supply at least one resource",
        ],
    ),
    (
        PDBS,
        {"spec": {"minAvailable": 1, "maxUnavailable": 1}},
        [
            'spec: Invalid value: {"maxUnavailable":1,"minAvailable":1}: minAvailable and maxUnavailable cannot be '
            "both set"
        ],
    ),
    (
        PVCS,
        {"spec": {}},
        [
            "spec.accessModes: Required value: at least 1 access mode is required",
            "spec.resources[storage]: Required value",
        ],
    ),
    (
        POLICIES,
        {"spec": {"ingress": [{"from": [{}]}]}},
        ["spec.ingress[0].from[0]: Required value: must specify a peer"],
    ),
    (
        refs.INGRESSES,
        {
            "spec": {
                "rules": [
                    {"http": {"paths": [{"path": "x", "backend": {"service": {"name": "s"}}}]}}
                ]
            }
        },
        [
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
            "spec.rules[0].http.paths[0].backend.service.port: Required value: port name or number is required",
        ],
    ),
    (
        refs.ENDPOINTSLICES,
        {"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}, {"addresses": []}]},
        [
            'endpoints[0].addresses[0]: Invalid value: "::1": must be an IPv4 address',
            "endpoints[1].addresses: Required value: must contain at least 1 endpoint",
        ],
    ),
]


@pytest.mark.parametrize(("resource", "obj", "expected"), BAD)
def test_bad_objects(resource: Resource, obj: Object, expected: list[str]) -> None:
    assert wrong(resource, obj) == expected
