"""Every manifest of the labs against the schemas of the pinned Kubernetes and Istio, strictly: no field is unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

from meshcourse import versions
from meshcourse.embedded.istioctl import crds

LABS = Path(__file__).resolve().parents[3] / "labs"
FILES = sorted(LABS.rglob("*.yaml"))
LINE = ".".join(versions.KUBERNETES.removeprefix("v").split(".")[:2])


def custom() -> dict[tuple[str, str], dict[str, Any]]:
    """Schemas of the custom kinds by apiVersion and kind."""
    return {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): version[
            "schema"
        ]["openAPIV3Schema"]
        for crd in (*crds.istio(), *crds.gateway_api())
        for version in crd["spec"]["versions"]
    }


CUSTOM = custom()


def unknown(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    """Fields that a schema does not have."""
    if isinstance(value, list):
        return [
            line for item in value for line in unknown(item, schema.get("items", {}), f"{path}[]")
        ]
    known = schema.get("properties")
    if not isinstance(value, dict) or known is None:
        return []
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        known = known | {name: {} for name in value if name not in known}
    strange = [f"{path}.{name}" for name in value if name not in known]
    inner = [unknown(value[name], known[name], f"{path}.{name}") for name in value if name in known]
    return strange + [line for lines in inner for line in lines]


def strictly(item: dict[str, Any]) -> None:
    """Nothing if the object is valid.

    :raises Exception: of the validator that refuses it.
    """
    schema = CUSTOM.get((item["apiVersion"], item["kind"]))
    if schema is None:
        kubernetes_validate.validate(item, LINE, strict=True)
        return
    # kubectl sends JSON, in which the port numbers that are keys in the YAML are strings.
    jsonschema_rs.validator_for(schema).validate(json.loads(json.dumps(item)))
    assert unknown(item["spec"], schema["properties"]["spec"], "spec") == []


def test_there_are_labs_apps_and_addons() -> None:
    assert len(FILES) > 100
    assert {path.relative_to(LABS).parts[0] for path in FILES} >= {"addons", "apps", "00-hello"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LABS)))
def test_every_object_fits_its_schema(path: Path) -> None:
    found = [item for item in yaml.safe_load_all(path.read_text()) if item]
    assert found
    for item in found:
        strictly(item)


@pytest.mark.parametrize(
    "text",
    [
        "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {prots: []}}",
        "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: x}, spec: {hots: [a]}}",
        "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: x}, "
        "spec: {hosts: [a], http: [{route: [{destination: {host: a, subst: b}}]}]}}",
    ],
)
def test_a_misspelt_field_is_noticed(text: str) -> None:
    with pytest.raises(Exception, match=r"prots|hots|subst"):
        strictly(yaml.safe_load(text))
