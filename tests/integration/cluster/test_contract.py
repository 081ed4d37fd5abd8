"""What every provider of clusters promises, over the embedded cluster and over a context that leads to one.

Over kind it needs a container engine; without one that part is skipped, and says so.
"""

from __future__ import annotations

import os
import shutil
import stat
import urllib.request
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from meshcourse import course, versions
from meshcourse.cluster import progress, providers
from meshcourse.cluster.errors import ApiError, ClusterError
from meshcourse.embedded.daemon import launcher
from tests.integration import foreign

NAME = "contract"


@pytest.fixture(scope="module", params=["embedded", "context", "kind"])
def mesh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[course.Mesh]:
    kind: str = request.param
    if kind == "kind" and not (shutil.which("docker") and shutil.which("kind")):
        pytest.skip("no container engine with kind on this machine")
    folder: Path = tmp_path_factory.mktemp(kind)
    patch = pytest.MonkeyPatch()
    patch.setenv(providers.NAME_VARIABLE, NAME)
    patch.setenv(providers.KIND_VARIABLE, kind)
    surroundings = foreign.cluster(NAME, folder) if kind == "context" else nullcontext()
    try:
        with surroundings:
            found = course.open()
            found.ensure("istio", "bookinfo")
            try:
                yield found
            finally:
                found.close()
    finally:
        patch.undo()
        if kind == "embedded":
            launcher.down(NAME, delete=True)
        elif kind == "kind":
            providers.choose(NAME, "kind").stop(progress.silent(), delete=True)


def get(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as response:
        return response.status, response.read().decode()


def test_it_says_what_it_is(mesh: course.Mesh) -> None:
    found = mesh.capabilities
    assert found.provider == os.environ[providers.KIND_VARIABLE]
    assert found.parts
    assert mesh.provider.running()
    assert mesh.name


def test_starting_again_is_attaching(mesh: course.Mesh) -> None:
    before = {pod["metadata"]["uid"] for pod in mesh.objects("pods", "*")}
    providers.choose().start(progress.silent())
    assert {pod["metadata"]["uid"] for pod in mesh.objects("pods", "*")} == before


def test_the_kubeconfig_is_private_and_works(mesh: course.Mesh) -> None:
    assert stat.S_IMODE(mesh.kubeconfig.stat().st_mode) == 0o600
    done = mesh.kubectl("get", "deployment", "istiod", "-n", "istio-system")
    assert "istiod" in done.check().output


def test_the_status_is_ready_for_json(mesh: course.Mesh) -> None:
    found = mesh.provider.status()
    assert found["running"] is True
    assert found["url"].startswith("https://")
    assert str(found["version"]).startswith("v1.")


def test_istioctl_is_of_the_version_taught(mesh: course.Mesh) -> None:
    output = mesh.istioctl("version").check().output
    assert f"control plane version: {versions.ISTIO}" in output


def test_the_page_is_reached(mesh: course.Mesh) -> None:
    url = mesh.url("istio-ingressgateway", "http2", "/productpage", namespace="istio-system")
    status, text = get(url)
    assert status == 200
    assert "Simple Bookstore App" in text
    assert mesh.traffic("/productpage", n=50, rate=50).failed == 0


def test_a_service_inside_is_reached(mesh: course.Mesh) -> None:
    """By its address where there is one, else by a port-forward; also after its pod was replaced."""
    url = mesh.url("istiod", "http-monitoring", "/version", namespace="istio-system")
    assert get(url)[0] == 200
    mesh.restart("details-v1")
    mesh.kubectl("rollout", "status", "deployment/details-v1", "--timeout=60s").check()
    assert get(mesh.url("details", 9080, "/details/0"))[0] == 200


def test_objects_come_and_go(mesh: course.Mesh) -> None:
    settings: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "contract"},
        "data": {"a": "1"},
    }
    mesh.apply([settings]).raise_on_error()
    assert mesh.get("configmap", "contract")["data"] == {"a": "1"}
    mesh.delete([settings])
    assert not mesh.exists("configmap", "contract")


def test_a_refusal_comes_in_the_servers_words(mesh: course.Mesh) -> None:
    with pytest.raises(ApiError, match='configmaps "absent" not found'):
        mesh.get("configmap", "absent")


def test_installing_is_consented_to(mesh: course.Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not the course's is asked for, of each provider object anew."""
    monkeypatch.setenv("MESHCOURSE_INSTALL", "no")
    provider = providers.choose()
    if provider.capabilities.owned:
        provider.consent("installing Jaeger")
        return
    with pytest.raises(ClusterError, match="needs your consent"):
        provider.consent("installing Jaeger")
