"""Profiles, options, and what they install."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from meshcourse.embedded.istioctl.commands import install, waiting
from meshcourse.embedded.istioctl.context import KINDS, table
from meshcourse.embedded.istioctl.manifests import components, options, profiles


def parts(*settings: str) -> dict[str, components.Component]:
    return {one.name: one for one in components.build(options.resolve([], settings))}


def find(part: components.Component, kind: str, name: str = "") -> dict[str, Any]:
    return next(
        one for one in part.objects if one["kind"] == kind and name in ("", one["metadata"]["name"])
    )


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ([], ["Base", "Pilot", "IngressGateways"]),
        (["profile=demo"], ["Base", "Pilot", "EgressGateways", "IngressGateways"]),
        (["profile=minimal"], ["Base", "Pilot"]),
        (["profile=empty"], []),
        (
            ["components.egressGateways[0].enabled=true"],
            ["Base", "Pilot", "EgressGateways", "IngressGateways"],
        ),
        (["components.pilot.enabled=false", "profile=minimal"], ["Base"]),
    ],
)
def test_profiles_and_components(settings: list[str], wanted: list[str]) -> None:
    assert list(parts(*settings)) == wanted


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(profiles.UnknownProfile) as caught:
        options.resolve([], ["profile=dmo"])
    assert "demo" in caught.value.remedy


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("meshConfig.accessLogFile=/dev/null", ["meshConfig", "accessLogFile"], "/dev/null"),
        ("values.pilot.traceSampling=50", ["values", "pilot", "traceSampling"], 50),
        ("meshConfig.enableTracing=true", ["meshConfig", "enableTracing"], True),
        ("tag=1.30", ["tag"], "1.30"),
        (r"values.a.b\.c/d=x", ["values", "a", "b.c/d"], "x"),
        (
            "components.ingressGateways[0].label.x=y",
            ["components", "ingressGateways", 0, "label", "x"],
            "y",
        ),
    ],
)
def test_settings_lead_anywhere(setting: str, path: list[Any], value: Any) -> None:
    node: Any = options.resolve([], [setting])
    for step in path:
        node = node[step]
    assert node == value


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("profile", "must be of the form path=value"),
        ("profle=demo", "unknown field 'profle'"),
        ("components.egressGateways[7].enabled=true", "leaves a gap"),
    ],
)
def test_bad_settings_are_refused(setting: str, words: str) -> None:
    with pytest.raises(options.BadOption, match=words):
        options.resolve([], [setting])


def test_files_come_before_settings() -> None:
    document = {"kind": "IstioOperator", "spec": {"profile": "minimal", "tag": "file"}}
    found = options.resolve([document], ["tag=flag"])
    assert (found["profile"], found["tag"]) == ("minimal", "flag")
    with pytest.raises(options.BadOption, match="does not hold an IstioOperator"):
        options.resolve([{"kind": "ConfigMap"}], [])


def test_every_object_can_be_applied() -> None:
    for part in parts("profile=demo").values():
        for obj in part.objects:
            assert obj["kind"] in KINDS
            assert obj["metadata"]["labels"]["operator.istio.io/managed"] == "Reconcile"
            json.dumps(obj)


def test_the_mesh_configuration_of_the_demo_profile() -> None:
    config = find(parts("profile=demo")["Pilot"], "ConfigMap", "istio")
    mesh = yaml.safe_load(config["data"]["mesh"])
    assert mesh["accessLogFile"] == "/dev/stdout"
    assert mesh["trustDomain"] == "cluster.local"


def test_the_injector_learns_hub_tag_and_resources() -> None:
    config = find(parts("profile=demo", "tag=9-x")["Pilot"], "ConfigMap", "istio-sidecar-injector")
    values = json.loads(config["data"]["values"])
    assert values["global"]["tag"] == "9-x"
    assert values["global"]["proxy"]["resources"]["requests"] == {"cpu": "10m", "memory": "40Mi"}


def test_the_ingress_gateway_of_the_demo_profile() -> None:
    part = parts("profile=demo")["IngressGateways"]
    service = find(part, "Service")
    assert service["spec"]["type"] == "LoadBalancer"
    ports = {(port["port"], port["targetPort"]) for port in service["spec"]["ports"]}
    assert ports == {(15021, 15021), (80, 8080), (443, 8443), (31400, 31400), (15443, 15443)}
    (container,) = find(part, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["args"][:2] == ["proxy", "router"]
    declared = {port["containerPort"] for port in container["ports"]}
    assert declared == {15021, 8080, 8443, 31400, 15443, 15090}


def test_a_revision_stands_beside_the_default() -> None:
    pilot = parts("revision=canary")["Pilot"]
    assert find(pilot, "Deployment")["metadata"]["name"] == "istiod-canary"
    hooks = find(pilot, "MutatingWebhookConfiguration")["webhooks"]
    assert [hook["name"] for hook in hooks] == [
        "rev.namespace.sidecar-injector.istio.io",
        "rev.object.sidecar-injector.istio.io",
    ]
    assert all(h["clientConfig"]["service"]["name"] == "istiod-canary" for h in hooks)


def test_what_may_be_applied_together() -> None:
    first, last = install._in_order(parts("profile=demo")["Pilot"].objects)
    assert [one["kind"] for one in last] == ["Deployment"]
    assert len(first) > 5


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({}, False),
        (
            {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
            True,
        ),
        (
            {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
            False,
        ),
        (
            {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
            False,
        ),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}, False),
    ],
)
def test_a_deployment_is_ready_when_it_is_rolled_out(status: dict[str, Any], ready: bool) -> None:
    deployment = {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": status}
    assert waiting.deployment_ready(deployment) is ready


def test_tables_are_aligned() -> None:
    assert table([["NAME", "X"], ["a", "yy"]]) == "NAME     X\na        yy"
