from __future__ import annotations

from pathlib import Path

import pytest

from meshcourse.cluster import manifests
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ClusterError
from tests.unit.cluster.fake_api import ISTIO, FakeApi

CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"
VS = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews}\nspec: {}\n"
AT = "/api/v1/namespaces/default/configmaps/settings"


def test_rows_say_created_unchanged_configured(cluster: Cluster) -> None:
    outcomes = [cluster.apply(text).rows[0].outcome for text in (CM, CM, CM.replace("'1'", "'2'"))]
    assert outcomes == ["created", "unchanged", "configured"]


def test_apply_is_server_side_strict_and_names_its_manager(api: FakeApi, cluster: Cluster) -> None:
    cluster.apply(CM)
    method, path, query = api.requests[-1]
    assert (method, path) == ("PATCH", AT)
    assert query == {"fieldManager": "meshcourse", "force": "true", "fieldValidation": "Strict"}


def test_a_refusal_does_not_stop_the_others(api: FakeApi, cluster: Cluster) -> None:
    api.refuse("PATCH", AT, 422, "Invalid", "ConfigMap is invalid")
    other = CM.replace("settings", "other")
    found = cluster.apply(f"{CM}---\n{other}")
    assert [row.outcome for row in found.rows] == ["error", "created"]
    assert "configmap/settings error: ConfigMap is invalid" in repr(found)
    with pytest.raises(ClusterError, match="ConfigMap is invalid"):
        found.raise_on_error()


def test_an_unknown_kind_is_a_row_with_a_remedy(cluster: Cluster) -> None:
    row = cluster.apply(VS).rows[0]
    assert row.message == 'no matches for kind "VirtualService" in version "networking.istio.io/v1"'
    assert "Istio is installed" in row.remedy


def test_a_kind_that_its_crd_has_just_announced_is_waited_for(
    api: FakeApi, cluster: Cluster
) -> None:
    cluster.served()
    asked = 0

    def discovered() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            api.groups["networking.istio.io", "v1"] = ISTIO

    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    spec = {"group": "networking.istio.io", "names": {"kind": "VirtualService"}}
    api.put(f"{crds}/virtualservices.networking.istio.io", spec=spec)
    original = cluster.served

    def served(refresh: bool = False) -> object:
        discovered()
        return original(refresh)

    cluster.served = served  # type: ignore[method-assign, assignment]
    assert cluster.apply(VS).rows[0].outcome == "created"
    assert asked == 3


def test_a_namespace_may_be_said_and_an_object_may_insist(api: FakeApi, cluster: Cluster) -> None:
    cluster.apply(
        CM + "---\n" + CM.replace("{name: settings}", "{name: x, namespace: own}"), "team"
    )
    paths = [path for method, path, _ in api.requests if method == "PATCH"]
    assert [path.split("/")[4] for path in paths] == ["team", "own"]


def test_delete_goes_backwards_and_does_not_mind_what_is_absent(cluster: Cluster) -> None:
    cluster.apply(CM)
    found = cluster.delete(CM + "---\n" + CM.replace("settings", "never"))
    assert [(row.name, row.outcome) for row in found.rows] == [
        ("never", "absent"),
        ("settings", "deleted"),
    ]


def test_files_and_folders_are_read_in_name_order(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(CM.replace("settings", "second"))
    (tmp_path / "a.yml").write_text(CM.replace("settings", "first"))
    (tmp_path / "notes.txt").write_text("not a manifest")
    assert [manifests.name_of(obj) for obj in manifests.read(tmp_path)] == ["first", "second"]
    with pytest.raises(ClusterError, match="does not exist"):
        manifests.read(tmp_path / "none")


def test_lists_are_taken_apart_and_empty_documents_skipped() -> None:
    text = "---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n"
    assert [manifests.name_of(obj) for obj in manifests.parse(text)] == ["a"]


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("a: [", "does not parse", "one line earlier"),
        ("a:\n\tb: 1", "does not parse", "tabs"),
        ("- 1", "not an object", "apiVersion"),
        ("kind: Pod", "without `apiVersion`", ""),
        ("apiVersion: v1", "without `kind`", ""),
    ],
)
def test_bad_yaml_says_what_is_wrong(text: str, message: str, remedy: str) -> None:
    with pytest.raises(ClusterError) as error:
        manifests.parse(text)
    assert message in error.value.message
    assert remedy in error.value.remedy
