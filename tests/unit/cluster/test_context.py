"""Somebody else's cluster: the copy of the kubeconfig, rights, what is there already, consent."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshcourse import versions
from meshcourse.cluster import providers
from meshcourse.cluster.context import Context, consent, minimal, rights, survey
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.progress import Progress
from tests.unit.cluster import fake_api

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Said:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def live(self, text: str) -> None: ...


@pytest.fixture(autouse=True)
def _version(api: fake_api.FakeApi) -> None:
    api.put("/version", gitVersion="v1.35.0")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: fake_api.FakeApi) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
    for name in (providers.KIND_VARIABLE, providers.PREFIX_VARIABLE, consent.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def allow(monkeypatch: pytest.MonkeyPatch, *refused: str) -> list[rights.Right]:
    """A server that grants everything but what is listed; returns what was asked."""
    asked: list[rights.Right] = []

    def granted(_api: object, right: rights.Right) -> bool:
        asked.append(right)
        return str(right) not in refused

    monkeypatch.setattr(rights, "_granted", granted)
    return asked


def install(api: fake_api.FakeApi, name: str, image: str, **labels: str) -> None:
    api.put(
        f"/apis/apps/v1/namespaces/istio-system/deployments/{name}",
        metadata={"labels": labels},
        spec={"template": {"spec": {"containers": [{"image": image}]}}},
    )


def test_the_copy_is_minimal_and_private(home: Path) -> None:
    original = Path(home / "kubeconfig").read_text()
    data = yaml.safe_load(original)
    data["contexts"].append({"name": "other", "context": {"cluster": "x", "user": "y"}})
    (home / "kubeconfig").write_text(yaml.safe_dump(data))
    copy = Context().kubeconfig()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    found = yaml.safe_load(copy.read_text())
    assert [item["name"] for item in found["contexts"]] == ["me"]
    assert yaml.safe_load((home / "kubeconfig").read_text()) == data
    assert copy.is_relative_to(home / "state")


def test_files_are_merged_as_kubectl_does(tmp_path: Path) -> None:
    first, second = fake_api.config("https://one:1"), fake_api.config("https://two:2")
    second["contexts"][0]["name"] = second["current-context"] = "later"
    second["users"][0]["user"] = {"client-key": "key.pem", "client-certificate": "/etc/c.pem"}
    second["users"][0]["name"] = second["contexts"][0]["context"]["user"] = "later-user"
    for number, data in enumerate((first, second)):
        (tmp_path / f"config{number}").write_text(yaml.safe_dump(data))
    files = [tmp_path / "absent", tmp_path / "config0", tmp_path / "config1"]
    assert minimal.extract(files=files)["current-context"] == first["current-context"]
    found = minimal.extract("later", files)
    assert found["users"][0]["user"]["client-key"] == str(tmp_path / "key.pem")
    assert found["users"][0]["user"]["client-certificate"] == "/etc/c.pem"
    assert found["clusters"][0]["cluster"]["server"] == "https://one:1"  # the first to name it


def test_a_context_that_is_not_there(home: Path) -> None:
    with pytest.raises(ClusterError, match='no context "nowhere"') as caught:
        Context("nowhere")
    assert "me" in caught.value.remedy


def test_no_kubeconfig(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(home / "absent"))
    with pytest.raises(ClusterError, match="there is no kubeconfig at") as caught:
        Context()
    assert "embedded" in caught.value.remedy


def test_attaching_creates_nothing(
    home: Path, api: fake_api.FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch)
    said = Said()
    Context().start(Progress(said))
    assert {method for method, *_ in api.requests} == {"GET"}


def test_the_missing_right_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = "create virtualservices.networking.istio.io in namespace default"
    allow(monkeypatch, lacking)
    with pytest.raises(ClusterError) as caught:
        Context().start(Progress(Said()))
    assert lacking in caught.value.message
    assert "pods" not in caught.value.message


def test_a_prefix_makes_a_namespace_of_ones_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = allow(monkeypatch)
    found = Context(prefix="ada")
    found.start(Progress(Said()))
    assert {right.namespace for right in asked} == {"ada-course"}
    assert yaml.safe_load(found.kubeconfig().read_text())["contexts"][0]["context"][
        "namespace"
    ] == ("ada-course")
    assert found.kubeconfig() != Context().kubeconfig()


def test_another_istio_and_add_ons_are_seen(
    home: Path, api: fake_api.FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch)
    old = {"app": "istiod", "istio.io/rev": "old"}
    install(api, "istiod-old", "docker.io/istio/pilot:1.17.1-distroless", **old)
    install(api, "kiali", "quay.io/kiali/kiali:v1.63", app="kiali")
    api.groups["security.openshift.io", "v1"] = [
        ("securitycontextconstraints", "SecurityContextConstraints", False, [])
    ]
    found = survey.take(api.client())
    assert found.istio == (survey.Istio("old", "1.17.1"),)
    assert found.addons == ("kiali",)
    assert found.openshift
    said = Said()
    Context().start(Progress(said))
    text = "\n".join(said.lines)
    for word in ("OpenShift", "Istio 1.17.1 is installed", "istio.io/rev=old", "kiali"):
        assert word in text


def test_nothing_is_said_about_a_cluster_as_taught(api: fake_api.FakeApi) -> None:
    install(api, "istiod", f"registry.istio.io/release/pilot:{versions.ISTIO}", app="istiod")
    assert survey.take(api.client()).remarks() == []


def test_without_a_terminal_nobody_consents(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch)
    with pytest.raises(ClusterError, match="needs your consent") as caught:
        Context().consent("installing Istio")
    assert "--yes" in caught.value.remedy
    monkeypatch.setenv(consent.VARIABLE, "yes")
    Context().consent("installing Istio")


@pytest.mark.parametrize(("answer", "given"), [("y", True), ("", False), ("no", False)])
def test_a_person_is_asked(answer: str, given: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(consent.VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", Tty())
    monkeypatch.setattr("sys.stdout", Tty())
    questions: list[str] = []

    def ask(text: str) -> str:
        questions.append(text)
        return answer

    monkeypatch.setattr("builtins.input", ask)
    assert consent.given("installing Istio") is given
    assert questions == ["installing Istio? [y/N] "]


class Tty:
    def isatty(self) -> bool:
        return True


def test_it_is_never_deleted(home: Path) -> None:
    found = Context()
    copy = found.kubeconfig()
    with pytest.raises(ClusterError, match="not made by the course"):
        found.stop(Progress(Said()), delete=True)
    assert copy.exists()
    found.stop(Progress(Said()))
    assert not copy.exists()


def service(address: str) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}


def test_a_load_balancer_counts_if_it_answers(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert Context().direct(service("127.0.0.1"), port) == ("127.0.0.1", port)
    found = Context()
    assert found.direct(service("127.0.0.1"), port) is None
    assert found.direct({"metadata": {"name": "x"}}, 80) is None


def test_the_factory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert providers.choose().capabilities.provider == "embedded"
    assert providers.choose(cluster="context").name == "me"
    monkeypatch.setenv(providers.KIND_VARIABLE, "context:me")
    assert providers.choose().capabilities.provider == "context"
    with pytest.raises(ClusterError, match='no kind of cluster called "minikube"') as caught:
        providers.choose(cluster="minikube")
    assert "context" in caught.value.remedy


def test_what_was_started_last_is_meant(home: Path) -> None:
    providers.remember("context:me")
    assert providers.choose().capabilities.provider == "context"
    providers.remember("")
    assert providers.choose().capabilities.provider == "embedded"
