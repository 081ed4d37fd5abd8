"""The manifests of the sample applications: they parse, their kinds and fields exist, and they fit together."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

from meshcourse import versions
from meshcourse.embedded import images
from meshcourse.embedded.istio import validate
from meshcourse.embedded.istioctl import crds
from meshcourse.embedded.kubelet import catalogue

APPS = Path(__file__).resolve().parents[3] / "labs" / "apps"
FILES = sorted(APPS.rglob("*.yaml"))
#: The kinds that Kubernetes itself serves, as far as the samples use them.
BUILT_IN = {
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
}
#: Upstream's names for the networking behaviours that the course teaches.
NETWORKING = {
    "destination-rule-all",
    "destination-rule-all-mtls",
    "destination-rule-reviews",
    "egress-rule-google-apis",
    "fault-injection-details-v1",
    "virtual-service-all-v1",
    "virtual-service-details-v2",
    "virtual-service-ratings-db",
    "virtual-service-ratings-mysql",
    "virtual-service-ratings-test-abort",
    "virtual-service-ratings-test-delay",
    "virtual-service-reviews-50-v3",
    "virtual-service-reviews-80-20",
    "virtual-service-reviews-90-10",
    "virtual-service-reviews-jason-v2-v3",
    "virtual-service-reviews-test-v2",
    "virtual-service-reviews-v2-v3",
    "virtual-service-reviews-v3",
}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APPS)))


def objects(path: Path) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(path.read_text()) if item]


def everything() -> list[tuple[Path, dict[str, Any]]]:
    return [(path, item) for path in FILES for item in objects(path)]


@functools.cache
def custom() -> dict[tuple[str, str], dict[str, Any]]:
    """Schemas of the custom kinds by (apiVersion, kind)."""
    found = {}
    for crd in (*crds.istio(), *crds.gateway_api()):
        for version in crd["spec"]["versions"]:
            key = f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]
            found[key] = version["schema"]["openAPIV3Schema"]
    return found


def unknown_fields(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Fields that a schema does not have; a server would prune them and say nothing in old versions."""
    if isinstance(value, list):
        return [
            field
            for item in value
            for field in unknown_fields(item, schema.get("items", {}), f"{path}[]")
        ]
    known = schema.get("properties")
    if not isinstance(value, dict) or known is None:
        return []
    found = []
    for name, inner in value.items():
        if name in known:
            found += unknown_fields(inner, known[name], f"{path}.{name}")
        elif path and not schema.get("x-kubernetes-preserve-unknown-fields"):
            found.append(f"{path}.{name}")
    return found


def test_there_are_files() -> None:
    assert {path.parent.name for path in FILES} >= {
        "bookinfo",
        "networking",
        "gateway-api",
        "httpbin",
        "curl",
    }
    assert {path.stem for path in (APPS / "bookinfo" / "networking").glob("*.yaml")} >= NETWORKING


@each_file
def test_kinds_and_fields_exist(path: Path) -> None:
    found = objects(path)
    assert found
    for item in found:
        kind = item["apiVersion"], item["kind"]
        if kind in BUILT_IN:
            kubernetes_validate.validate(
                item, versions.KUBERNETES.removeprefix("v")[:4], strict=True
            )
            continue
        schema = custom()[kind]
        jsonschema_rs.validator_for(schema).validate(item)
        assert unknown_fields(item["spec"], schema["properties"]["spec"], "spec") == []


@each_file
def test_istio_accepts_it(path: Path) -> None:
    for item in objects(path):
        if "istio.io" in item["apiVersion"]:
            newest = "v1alpha3" if item["kind"] == "EnvoyFilter" else "v1"
            assert item["apiVersion"].endswith(f"/{newest}")
            result = validate.check(item)
            remarks = [one for one in result.warnings if not one.startswith("EnvoyFilter exposes")]
            assert (list(result.errors), remarks) == ([], [])


@each_file
def test_written_to_be_read(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert [line for line in lines if len(line) > 130 or line != line.rstrip()] == []


@each_file
def test_names_are_unique(path: Path) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in objects(path)]
    assert len(names) == len(set(names))


def test_images_are_in_the_catalogue(tmp_path: Path) -> None:
    known = catalogue.Catalogue(dict(images.IMAGES), tmp_path / "images.json")
    wanted = {
        container["image"]
        for _, item in everything()
        if item["kind"] == "Deployment"
        for container in item["spec"]["template"]["spec"]["containers"]
    }
    assert len(wanted) >= 15
    assert [image for image in sorted(wanted) if known.find(catalogue.parse(image)) is None] == []


def test_every_bookinfo_version_is_the_one_taught() -> None:
    tags = {
        container["image"].rpartition(":")[2]
        for path, item in everything()
        if item["kind"] == "Deployment" and "bookinfo" in path.parts
        for container in item["spec"]["template"]["spec"]["containers"]
    }
    assert tags == {versions.BOOKINFO}


def test_deployments_fit_their_services() -> None:
    """Labels `app` (and mostly `version`), ports that the containers have, service accounts that exist."""
    deployments = [(path, item) for path, item in everything() if item["kind"] == "Deployment"]
    accounts = {
        item["metadata"]["name"] for _, item in everything() if item["kind"] == "ServiceAccount"
    }
    assert len(deployments) >= 15
    for path, item in deployments:
        template = item["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert item["spec"]["selector"]["matchLabels"].items() <= labels.items(), path
        assert "app" in labels, path
        assert template["spec"].get("serviceAccountName", next(iter(accounts))) in accounts, path


def test_services_reach_a_port_of_their_pods() -> None:
    templates = [
        item["spec"]["template"] for _, item in everything() if item["kind"] == "Deployment"
    ]
    services = [item for _, item in everything() if item["kind"] == "Service"]
    assert len(services) >= 10
    for service in services:
        if service["metadata"]["name"] == "curl":
            continue  # nobody listens there, as upstream
        selector = service["spec"]["selector"]
        chosen = [pod for pod in templates if selector.items() <= pod["metadata"]["labels"].items()]
        assert chosen, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert port["name"].partition("-")[0] in (
                "http",
                "https",
                "grpc",
                "tcp",
                "mongo",
                "redis",
            )
            for pod in chosen:
                open_ports = [
                    entry["containerPort"]
                    for container in pod["spec"]["containers"]
                    for entry in container.get("ports", [])
                ]
                assert port.get("targetPort", port["port"]) in open_ports, service["metadata"][
                    "name"
                ]


def _destinations(routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [route["destination"] for rule in routes for route in rule["route"]]


def test_routes_lead_to_subsets_that_exist() -> None:
    rules = [item["spec"] for _, item in everything() if item["kind"] == "DestinationRule"]
    subsets = {
        (rule["host"], subset["name"]) for rule in rules for subset in rule.get("subsets", [])
    }
    services = {item["metadata"]["name"] for _, item in everything() if item["kind"] == "Service"}
    checked = 0
    for path, item in everything():
        if item["kind"] != "VirtualService":
            continue
        spec = item["spec"]
        for target in _destinations(spec.get("http", []) + spec.get("tcp", [])):
            if "subset" in target:
                assert (target["host"], target["subset"]) in subsets, path
            assert target["host"] in services or "." in target["host"], path
            checked += 1
    assert checked >= 30


def test_weights_make_100() -> None:
    checked = 0
    for path, item in everything():
        if item["kind"] == "VirtualService":
            for rule in item["spec"].get("http", []) + item["spec"].get("tcp", []):
                weights = [route["weight"] for route in rule["route"] if "weight" in route]
                if weights:
                    assert sum(weights) == 100, path
                    checked += 1
    assert checked >= 5
