"""Every manifest of the labs passes `kubectl apply --dry-run=server --validate=strict` of the real kubectl."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from meshcourse.cluster import components, progress
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.embedded import Embedded

LABS = Path(__file__).resolve().parents[3] / "labs"
NAME = "lab-manifests"
#: A lab, an app or the add-ons, each asked about in one run of kubectl.
FOLDERS = sorted(
    {
        LABS.joinpath(*path.relative_to(LABS).parts[:2])
        if path.relative_to(LABS).parts[0] == "apps"
        else LABS / path.relative_to(LABS).parts[0]
        for path in LABS.rglob("*.yaml")
    }
)
pytestmark = pytest.mark.kubectl


def objects(folder: Path) -> list[dict[str, object]]:
    texts = [path.read_text() for path in sorted(folder.rglob("*.yaml"))]
    return [item for text in texts for item in yaml.safe_load_all(text) if item]


@pytest.fixture(scope="module")
def mesh() -> Iterator[Cluster]:
    """Istio, the Gateway API, and the namespaces that manifests name: a dry run creates none."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on PATH")
    provider = Embedded(NAME)
    found = Cluster(provider, progress.silent)
    try:
        provider.start(progress.silent())
        components.ensure(found, "istio", "gateway-api")
        everything = objects(LABS)
        named = {str(item["metadata"].get("namespace", "default")) for item in everything}  # type: ignore[attr-defined]
        spaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}}
            for n in sorted(named)
        ]
        found.apply(spaces).raise_on_error()
        yield found
    finally:
        found.close()
        provider.stop(progress.silent(), delete=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(LABS)))
def test_the_server_accepts_it(mesh: Cluster, folder: Path) -> None:
    command = [
        "kubectl",
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "--recursive",
        "-f",
        str(folder),
    ]
    environment = {**os.environ, **mesh.environment()}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    accepted = [line for line in done.stdout.splitlines() if line.endswith("(server dry run)")]
    assert len(accepted) == len(objects(folder))
    # Other warnings are meant: the start of a lab may hold the mistake that is to be found.
    assert not re.search("deprecated|unknown field", done.stderr)


def test_a_misspelt_field_is_refused(mesh: Cluster, tmp_path: Path) -> None:
    """The dry run is worth something only if it refuses."""
    text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x}\nspec: {hots: [a]}\n"
    (tmp_path / "bad.yaml").write_text(text)
    command = ["kubectl", "apply", "--dry-run=server", "-f", str(tmp_path / "bad.yaml")]
    environment = {**os.environ, **mesh.environment()}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 1
    assert 'unknown field "spec.hots"' in done.stderr
