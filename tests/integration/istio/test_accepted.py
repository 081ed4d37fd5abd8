"""Whatever passes the schema and the validating webhook, Envoy accepts: objects made from the CRDs, in batches.

``MESHCOURSE_EXPLORE=200`` tries so many batches with other seeds instead of the same few every time.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from meshcourse.embedded.istio import names, validate
from tests.integration.istio import written
from tests.integration.istio.authority import Authority
from tests.unit.istio import envoy
from tests.unit.istio.mesh import Mesh, bookinfo

EXPLORE = int(os.environ.get("MESHCOURSE_EXPLORE") or 0)
_NETWORKING, _SECURITY = "networking.istio.io", "security.istio.io"
#: How many of each kind are written for one batch.
KINDS = {
    (_NETWORKING, "VirtualService"): 40,
    (_NETWORKING, "DestinationRule"): 40,
    (_NETWORKING, "ServiceEntry"): 12,
    (_NETWORKING, "Gateway"): 12,
    (_NETWORKING, "Sidecar"): 4,
    (_NETWORKING, "WorkloadEntry"): 4,
    (_SECURITY, "PeerAuthentication"): 3,
    (_SECURITY, "RequestAuthentication"): 6,
    (_SECURITY, "AuthorizationPolicy"): 20,
    ("telemetry.istio.io", "Telemetry"): 8,
}
PROXIES = (
    ("productpage-v1-5d8f-1", "default"),
    ("istio-ingressgateway-v1-5d8f-7", "istio-system"),
)
accepted: list[str] = []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Envoy's working directory, with the files that rules may name."""
    found: Path = tmp_path_factory.mktemp("accepted")
    authority = Authority()
    certificate, key = authority.leaf("a.example.com")
    files = {"cert": certificate, "key": key, "ca": authority.root, "crl": authority.revoked()}
    for name, text in files.items():
        (found / f"{name}.pem").write_text(text)
    system = found / names.SYSTEM_ROOTS_FILE
    system.parent.mkdir()
    system.write_text(authority.root)
    return found


@settings(
    max_examples=EXPLORE or 12,
    derandomize=not EXPLORE,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
def test_what_is_valid_is_accepted(folder: Path, seed: int) -> None:
    objects = list(valid(Random(seed)))
    if problem := refused(objects, folder):
        culprits = fewer(objects, folder)
        pytest.fail(f"{refused(culprits, folder) or problem}\n{yaml.safe_dump_all(culprits)}")
    accepted.extend(one["kind"] for one in objects)


def fewer(objects: list[Any], folder: Path) -> list[Any]:
    """A part of the objects that is refused by itself, as small as halving makes it."""
    while len(objects) > 1:
        middle = len(objects) // 2
        halves = (objects[:middle], objects[middle:])
        part = next((half for half in halves if refused(half, folder)), None)
        if part is None:
            return objects
        objects = part
    return objects


def valid(random: Random) -> Any:
    """Objects that schema and webhook let through; each rule has a host of its own, so that it takes effect."""
    for kind, count in KINDS.items():
        for number in range(3 * count):
            writer = written.Writer(random, random.choice((0.05, 0.1, 0.2, 0.35)))
            found = writer.object(kind, f"{kind[1].lower()}-{number}")
            if found is None:
                continue
            _placed(found, number)
            if not validate.check(found).errors:
                yield found


def _placed(found: Any, number: int) -> None:
    spec = found["spec"]
    if found["kind"] == "VirtualService":
        spec["hosts"] = [f"h{number % 10}" if number % 2 else f"h{number}.example.com"]
        spec["gateways"] = ["mesh"] if number % 2 else ["gateway-0", "gateway-1", "gateway-2"]
        spec.pop("exportTo", None)
    elif found["kind"] == "DestinationRule":
        spec["host"] = f"h{number % 10}"
        _without(
            spec, "credentialName"
        )  # secrets of clusters by ADS are too much for validation mode
        spec.pop("exportTo", None)
        spec.pop("workloadSelector", None)
    elif found["kind"] == "ServiceEntry":
        spec["hosts"] = [f"se{number}.example.com"]
        spec["ports"] = [{**spec.get("ports", [{}])[0], "number": 80, "name": "http"}]
        spec.pop("workloadSelector" if number % 2 else "endpoints", None)
    elif found["kind"] == "Telemetry":
        # Neither pilot nor we read the CEL of tags: Envoy's refusal is told to the object.
        for metric in spec.get("metrics") or ():
            for override in metric.get("overrides") or ():
                for tag in (override.get("tagOverrides") or {}).values():
                    tag["value"] = "request.host"
    elif found["kind"] == "Gateway":
        spec["selector"] = {"istio": "ingressgateway"}
    spec.pop("selector", None) if found["kind"] != "Gateway" else None
    for name in ("targetRef", "targetRefs"):
        spec.pop(name, None)


def _without(part: Any, name: str) -> None:
    """Takes a field away wherever it is."""
    if isinstance(part, dict):
        part.pop(name, None)
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _without(one, name)


def refused(objects: Any, folder: Path) -> str:
    """What Envoy says against the configuration of any proxy."""
    mesh: Mesh = bookinfo()
    for number in range(10):
        mesh.service(f"h{number}", selector={"app": "reviews"})
    mesh._slices()
    for one in objects:
        mesh.add(yaml.safe_load(yaml.safe_dump(one)))
    for pod, namespace in PROXIES:
        if found := envoy.complaint(mesh.resources(pod, namespace), folder):
            return f"{pod}: {found}"
    return ""


def test_enough_was_accepted() -> None:
    assert len(accepted) >= 200
    assert set(accepted) == {kind for _, kind in KINDS}
