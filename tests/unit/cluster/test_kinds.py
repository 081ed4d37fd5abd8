from __future__ import annotations

import pytest

from meshcourse.cluster import kinds
from meshcourse.cluster.errors import ClusterError
from tests.unit.cluster.fake_api import ISTIO, FakeApi


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("po", "Pod"),
        ("pod", "Pod"),
        ("Pods", "Pod"),
        ("deploy", "Deployment"),
        ("deployments.apps", "Deployment"),
        ("deployments.v1.apps", "Deployment"),
        ("vs", "VirtualService"),
        ("virtualservices.networking.istio.io", "VirtualService"),
        ("virtualservices.v1.networking.istio.io", "VirtualService"),
    ],
)
def test_people_name_kinds_in_many_ways(api: FakeApi, text: str, kind: str) -> None:
    api.groups["networking.istio.io", "v1"] = ISTIO
    assert kinds.discover(api.client()).by_name(text).kind == kind


def test_an_unknown_kind_is_refused_in_kubectls_words(api: FakeApi) -> None:
    found = kinds.discover(api.client())
    with pytest.raises(
        kinds.UnknownKindError, match='the server doesn\'t have a resource type "vs"'
    ):
        found.by_name("vs")
    with pytest.raises(
        kinds.UnknownKindError, match='no matches for kind "X" in version "apps/v1"'
    ):
        found.by_gvk("apps/v1", "X")


def test_categories_group_kinds(api: FakeApi) -> None:
    found = kinds.discover(api.client()).in_category("all")
    assert [kind.plural for kind in found] == ["pods", "services", "deployments"]


def test_paths_follow_the_scope() -> None:
    deployment, namespace = kinds.DEPLOYMENT, kinds.NAMESPACE
    assert deployment.path("a", "b", "scale") == "/apis/apps/v1/namespaces/a/deployments/b/scale"
    assert deployment.path() == "/apis/apps/v1/deployments"
    assert namespace.path("ignored", "b") == "/api/v1/namespaces/b"
    assert (deployment.printed, kinds.POD.printed) == ("deployment.apps", "pod")


def test_a_cluster_that_is_too_old_is_refused(api: FakeApi) -> None:
    api.refusals["GET", "/api"] = (200, {"kind": "APIVersions"})
    with pytest.raises(ClusterError, match="aggregated discovery"):
        kinds.discover(api.client())
