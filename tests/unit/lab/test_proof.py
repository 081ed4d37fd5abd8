from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from meshcourse.cluster import tools
from meshcourse.cluster.cluster import Cluster
from meshcourse.errors import MeshcourseError
from meshcourse.kubectl import front
from meshcourse.lab import manifest, proof, snapshot, steps
from tests.unit.cluster.fake_api import FakeApi
from tests.unit.lab.conftest import CHECKS, HELLO

Edit = Callable[[str, str], None]


def kubectl(cluster: Cluster, args: Sequence[str], folder: Path) -> tools.Done:
    return front.own(cluster, args, folder=folder)


@pytest.fixture(autouse=True)
def _listed(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots look only at kinds that can be created; the fake's discovery says that of all."""
    from tests.unit.cluster import fake_api

    original = fake_api._resource
    monkeypatch.setattr(
        fake_api, "_resource", lambda *args: {**original(*args), "verbs": ["get", "list", "create"]}
    )


def lab_in(home: Path) -> manifest.Lab:
    return manifest.read(home).lab("00-hello")


def test_a_good_lab_is_proved_and_leaves_nothing(
    api: FakeApi, home: Path, cluster: Cluster
) -> None:
    found = proof.prove(lab_in(home), cluster, kubectl)
    assert found.ok, found
    assert str(found) == "00-hello: proved"
    assert not api.objects


def test_a_start_that_is_solved_already_is_a_problem(
    home: Path, cluster: Cluster, edit: Edit
) -> None:
    edit("start/hello.yaml", HELLO)
    assert proof.prove(lab_in(home), cluster, kubectl).problems == ("the start already passes",)


def test_a_solution_that_does_not_pass_is_a_problem(
    home: Path, cluster: Cluster, edit: Edit
) -> None:
    edit("solution/hello.yaml", HELLO.replace("'7'", "'8'"))
    (problem,) = proof.prove(lab_in(home), cluster, kubectl).problems
    assert "the solution does not pass" in problem
    assert "count '8'" in problem


def test_what_a_lab_leaves_behind_is_a_problem(home: Path, cluster: Cluster, edit: Edit) -> None:
    edit("solution/steps.txt", "kubectl create configmap forgotten\n")
    (problem,) = proof.prove(lab_in(home), cluster, kubectl).problems
    assert problem == "configmaps/default/forgotten was left behind"


def test_clean_up_steps_are_performed(
    api: FakeApi, home: Path, cluster: Cluster, edit: Edit
) -> None:
    edit("solution/steps.txt", "kubectl create configmap extra\n")
    (home / "labs" / "00-hello" / "cleanup").mkdir()
    edit("cleanup/steps.txt", "# take it away\nkubectl delete configmap extra\n")
    api.put("/api/v1/namespaces/default/configmaps/before", metadata={"uid": "1"})
    assert proof.prove(lab_in(home), cluster, kubectl).ok


def test_every_part_of_the_solution_must_matter(
    home: Path, cluster: Cluster, tmp_path: Path
) -> None:
    assert proof.survivors(lab_in(home), cluster, kubectl, tmp_path / "mutants") == []


def test_a_check_that_does_not_look_lets_mutants_survive(
    home: Path, cluster: Cluster, edit: Edit, tmp_path: Path
) -> None:
    edit("checks.py", CHECKS.split('@check("Read')[0])
    edit("start/hello.yaml", HELLO.replace("hello", "other"))
    second = HELLO.replace("hello", "second")
    edit("solution/hello.yaml", f"{HELLO}---\n{second}")
    unnoticed = proof.survivors(lab_in(home), cluster, kubectl, tmp_path / "mutants")
    assert unnoticed == ["hello.yaml: without ConfigMap/second"]


def test_mutants_leave_out_steps_and_objects_and_change_numbers(
    home: Path, edit: Edit, tmp_path: Path
) -> None:
    spec = "{http: [{weight: 80, port: {number: 9080}}], tries: 3}"
    rule = f"apiVersion: x/v1\nkind: Rule\nmetadata: {{name: r}}\nspec: {spec}\n"
    edit("solution/hello.yaml", rule)
    edit("solution/steps.txt", "kubectl scale deploy a --replicas=2\nkubectl get pods\n")
    found = list(proof.mutants(lab_in(home), tmp_path / "mutants"))
    assert [mutant.what for mutant in found] == [
        "without `kubectl scale deploy a --replicas=2`",
        "without `kubectl get pods`",
        "hello.yaml: without Rule/r",
        "hello.yaml: Rule/r with another spec.http.0.weight",
        "hello.yaml: Rule/r with another spec.tries",
    ]
    assert "weight: 40" in (found[3].folder / "hello.yaml").read_text()
    assert (found[0].folder / "steps.txt").read_text() == "kubectl get pods"


def test_steps_are_kubectl_or_istioctl(home: Path, cluster: Cluster, edit: Edit) -> None:
    edit("solution/steps.txt", "rm -rf /\n")
    with pytest.raises(MeshcourseError, match="not 'rm'"):
        steps.perform(lab_in(home).solution, cluster, kubectl)


def test_a_solution_can_be_read(home: Path, edit: Edit) -> None:
    edit("solution/steps.txt", "kubectl get pods\n")
    text = steps.text(lab_in(home).solution)
    assert text.index("# hello.yaml") < text.index("# steps.txt")


def test_snapshots_ignore_what_controllers_write(api: FakeApi, cluster: Cluster) -> None:
    at = "/apis/apps/v1/namespaces/default/deployments/web"
    restarted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    api.put(at, spec={"replicas": 1, "template": {"metadata": {}}}, status={"replicas": 0})
    before = snapshot.take(cluster)
    api.put(at, spec={"replicas": 1, "template": restarted}, status={"replicas": 1})
    api.put("/api/v1/namespaces/default/pods/web-1")
    assert snapshot.difference(before, snapshot.take(cluster)) == []
    api.put(at, spec={"replicas": 2, "template": {"metadata": {}}})
    (change,) = snapshot.difference(before, snapshot.take(cluster))
    assert change.startswith("deployments.apps/default/web was changed")
    del api.objects[at]
    assert snapshot.difference(before, snapshot.take(cluster)) == [
        "deployments.apps/default/web is missing"
    ]
