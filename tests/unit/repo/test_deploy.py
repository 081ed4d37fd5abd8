"""What deploy/ promises, as far as it shows without a container engine: objects, rights, values, build files."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest
import yaml

from meshcourse import versions
from meshcourse.cluster import kubeconfig
from meshcourse.cluster.context import rights
from meshcourse.embedded import images
from meshcourse.embedded.kube import quantities

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
LINE = ".".join(versions.KUBERNETES.removeprefix("v").split(".")[:2])
RIGHTS = list(yaml.safe_load_all((DEPLOY / "jupyterhub" / "rights.yaml").read_text()))
VALUES = yaml.safe_load((DEPLOY / "jupyterhub" / "values.yaml").read_text())


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "namespaces", DEPLOY / "jupyterhub" / "namespaces.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Conflict(Exception):
    status = 409


class Api:
    """Records what is created; what was there already is a conflict."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, str]] = []

    def __getattr__(self, name: str) -> Any:
        async def create(*arguments: Any) -> None:
            *space, item = arguments
            key = name, (space or [""])[0], item["metadata"]["name"]
            if key in self.made:
                raise Conflict
            self.made.append(key)

        return create


def spawner(name: str) -> Any:
    return SimpleNamespace(
        user=SimpleNamespace(name=name), namespace="class", environment={"A": "1"}
    )


async def test_a_learner_gets_a_namespace_and_rights(hook: ModuleType) -> None:
    core, rbac, who = Api(), Api(), spawner("ada")
    await hook.prepare(who, core, rbac)
    await hook.prepare(who, core, rbac)  # a second start finds everything there
    assert core.made == [
        ("create_namespace", "", "ada-course"),
        ("create_namespaced_service_account", "class", "learner-ada"),
        ("create_namespaced_resource_quota", "ada-course", "course"),
        ("create_namespaced_limit_range", "ada-course", "course"),
    ]
    assert [(space, name) for _, space, name in rbac.made] == [
        ("ada-course", "learner-ada"), ("istio-system", "learner-ada"),
    ]  # fmt: skip
    assert who.service_account == "learner-ada"
    assert who.environment == {"A": "1", "MESHCOURSE_NAMESPACE_PREFIX": "ada"}


async def test_another_refusal_is_not_hidden(hook: ModuleType) -> None:
    class Forbidden(Exception):
        status = 403

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            async def refuse(*_: Any) -> None:
                raise Forbidden

            return refuse

    with pytest.raises(Forbidden):
        await hook.prepare(spawner("ada"), Refusing(), Refusing())


def test_names_of_learners_are_names_of_namespaces(hook: ModuleType) -> None:
    assert hook.slug("ada") == "ada"
    found = [
        hook.slug(name) for name in ("Ada", "ada@example.com", "ada.example.com", "Ада", "x" * 90)
    ]
    assert len(set(found)) == 5
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?", name) for name in found)


def test_objects_of_kubernetes_are_valid(hook: ModuleType) -> None:
    for item in [*hook.objects("ada", "class"), *RIGHTS]:
        kubernetes_validate.validate(item, LINE, strict=True)


def test_learners_have_the_rights_that_the_course_asks_for() -> None:
    (role,) = [item for item in RIGHTS if item["metadata"]["name"] == "meshcourse-learner"]
    for right in rights.learner("ada-course"):
        assert any(
            right.group in rule["apiGroups"]
            and right.verb in rule["verbs"]
            and ({"*", right.resource} & set(rule["resources"]))
            for rule in role["rules"]
        ), right


def test_the_hub_may_grant_what_it_grants(hook: ModuleType) -> None:
    (hub,) = [
        item for item in RIGHTS if item["metadata"]["name"] == "meshcourse-hub" and "rules" in item
    ]
    bound = next(rule["resourceNames"] for rule in hub["rules"] if "bind" in rule["verbs"])
    named = {item["roleRef"]["name"] for item in hook.objects("ada", "class") if "roleRef" in item}
    assert set(bound) == named


def test_a_quota_has_room_for_bookinfo(hook: ModuleType) -> None:
    """Six pods, twice while they roll; Istio's default for a sidecar is 128Mi, at most 1Gi."""
    pods, of = 12, quantities.parse
    assert of(hook.QUOTA["pods"]) >= pods
    most = of(hook.DEFAULTS["default"]["memory"]) + of("1Gi")
    least = of(hook.DEFAULTS["defaultRequest"]["memory"]) + of("128Mi")
    assert pods * most <= of(hook.QUOTA["limits.memory"])
    assert pods * least <= of(hook.QUOTA["requests.memory"])


def test_values_limit_every_learner() -> None:
    single = VALUES["singleuser"]
    assert single["image"]["tag"] == versions.COURSE
    assert {"limit", "guarantee"} == set(single["memory"]) == set(single["cpu"])
    assert (ROOT / single["defaultUrl"].removeprefix("/lab/tree/")).is_file()
    shared = next(item for item in single["profileList"] if item["slug"] == "shared")
    assert shared["kubespawner_override"]["environment"] == {"MESHCOURSE_CLUSTER": "context"}


def test_the_kubeconfig_of_a_pod(tmp_path: Path) -> None:
    text = (DEPLOY / "image" / "kubeconfig.yaml").read_text()
    mounted = tmp_path / "serviceaccount"
    mounted.mkdir()
    (mounted / "token").write_text("t\n")
    (mounted / "ca.crt").write_text("PEM")
    (tmp_path / "config").write_text(
        text.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(mounted))
    )
    found = kubeconfig.read(tmp_path / "config")
    assert (found.server, found.token, found.ca) == ("https://kubernetes.default.svc", "t", "PEM")


@pytest.mark.parametrize(
    "path", sorted(DEPLOY.rglob("Dockerfile")), ids=lambda path: path.parent.name
)
def test_build_files_copy_what_is_there(path: Path) -> None:
    """And .dockerignore lets it through."""
    let = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = [
        name.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*)$", path.read_text(), flags=re.M)
        for name in line.split()[:-1]
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name.split("/")[0] in let, name
    assert not re.search(r"^USER (root|0)$", path.read_text(), flags=re.M)
    assert re.search(r"^USER 1000$", path.read_text(), flags=re.M)


def test_variants_are_workloads_of_the_catalogue() -> None:
    text = (DEPLOY / "variants" / "docker-bake.hcl").read_text()
    found = re.findall(r'\{ name = "([\w-]+)", function = "([\w.:]+)" \}', text)
    assert len(found) == text.count("{ name =") >= 7
    for name, function in found:
        assert images.IMAGES[name] == f"meshcourse.embedded.images.{function}"


def test_the_beginning_copies_once(tmp_path: Path) -> None:
    script = DEPLOY / "image" / "begin"
    assert script.stat().st_mode & 0o111
    course, home = tmp_path / "course", tmp_path / "home"
    for part in ("labs", "notebooks", "img"):
        (course / part).mkdir(parents=True)
    (course / "labs" / "x").write_text("new")
    home.mkdir()
    text = script.read_text().replace("/opt/meshcourse", str(course))
    for expected in ("new", "mine"):
        done = subprocess.run(
            ["sh", "-c", text, "begin", "echo", "begun"], env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "begun\n"
        assert (home / "labs" / "x").read_text() == expected
        (home / "labs" / "x").write_text("mine")


def test_the_proxy_reaches_this_pod_and_nothing_else() -> None:
    found: dict[str, Any] = {
        "__name__": "config",
        "c": SimpleNamespace(ServerProxy=SimpleNamespace()),
    }
    exec((DEPLOY / "image" / "jupyter_server_config.py").read_text(), found)
    allowed = found["c"].ServerProxy.host_allowlist
    assert [allowed(None, host) for host in ("127.125.240.1", "localhost", "::1")] == [True] * 3
    assert [allowed(None, host) for host in ("10.0.0.1", "169.254.169.254", "hub")] == [False] * 3
