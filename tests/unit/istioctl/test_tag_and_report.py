"""What a tag consists of; what goes into a bug report, and who may read it."""

from __future__ import annotations

import stat
import tarfile
from pathlib import Path

import pytest
import yaml

from meshcourse.embedded.istioctl.analyze import webhooks
from meshcourse.embedded.istioctl.analyze.collection import collect
from meshcourse.embedded.istioctl.commands.bug_report import archive, filters
from meshcourse.embedded.istioctl.commands.bug_report import collect as collecting
from meshcourse.embedded.istioctl.commands.tag import manifest
from meshcourse.embedded.istioctl.manifests import options
from meshcourse.embedded.istioctl.manifests.pilot import Pilot
from meshcourse.embedded.kube.objects import Object


@pytest.fixture
def installed() -> dict[str, Object]:
    """By kind, the last of each that an installation makes."""
    return {one["kind"]: one for one in Pilot(options.resolve([], ["profile=demo"])).objects()}


def test_a_tag_injects_for_its_name_and_overlaps_nobody(installed: dict[str, Object]) -> None:
    canonical, istiod = installed["MutatingWebhookConfiguration"], installed["Service"]
    made = manifest.webhook(canonical, "prod")
    assert made["metadata"]["name"] == "istio-revision-tag-prod"
    labels = made["metadata"]["labels"]
    assert (labels["istio.io/tag"], labels["istio.io/rev"]) == ("prod", "default")
    assert not [key for key in labels if "operator.istio.io" in key]
    (namespaced, _) = made["webhooks"]
    assert webhooks.matches(namespaced, {"istio.io/rev": "prod"}, {})
    assert not webhooks.matches(namespaced, {"istio.io/rev": "default"}, {})
    assert list(webhooks.webhooks(collect([canonical, made, istiod]))) == []
    assert "&id" not in yaml.safe_dump(made)


def test_the_default_tag_replaces_the_default_revision(installed: dict[str, Object]) -> None:
    canonical, istiod = installed["MutatingWebhookConfiguration"], installed["Service"]
    made = manifest.webhook(canonical, "default", everywhere=True)
    assert [one["name"].partition("sidecar")[0] for one in made["webhooks"]] == [
        "rev.namespace.",
        "rev.object.",
        "namespace.",
        "object.",
        "auto.",
    ]
    assert webhooks.matches(made["webhooks"][4], {"kubernetes.io/metadata.name": "shop"}, {})
    overlap = list(webhooks.webhooks(collect([canonical, made, istiod])))
    assert overlap
    off = manifest.deactivated(canonical)
    assert list(webhooks.webhooks(collect([off, made, istiod]))) == []


def test_a_tags_service_selects_istiod(installed: dict[str, Object]) -> None:
    made = manifest.service("prod", installed["Service"], "istio-system")
    assert made["metadata"]["name"] == "istiod-revision-tag-prod"
    assert made["spec"] == installed["Service"]["spec"]


def _pod(namespace: str, name: str, owner: str = "") -> Object:
    meta: Object = {"namespace": namespace, "name": name}
    if owner:
        meta["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "controller": True}]
    return {"metadata": meta}


def test_filters_choose_pods() -> None:
    web, api = _pod("shop", "web-1-a", "web-1"), _pod("shop", "api-1-a", "api-1")
    system = _pod("kube-system", "dns")
    everything = [web, api, system]

    def names(include: list[str], exclude: list[str]) -> list[str]:
        parsed = [[filters.parse(one) for one in texts] for texts in (include, exclude)]
        return [one["metadata"]["name"] for one in filters.chosen(everything, *parsed)]

    assert names([], ["kube-*,other"]) == ["web-1-a", "api-1-a"]
    assert names(["shop/web"], []) == ["web-1-a"]
    assert names(["//dns", "shop"], ["*/*/api*"]) == ["web-1-a", "dns"]


def test_secrets_are_named_but_not_told() -> None:
    secret = {
        "metadata": {
            "name": "s",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "hunter2",
                "a": "b",
            },
        },
        "data": {"key": "hunter2"},
        "stringData": {"other": "hunter2"},
    }
    shown = collecting.redacted(secret)
    assert "hunter2" not in str(shown)
    assert shown["data"] == {"key": "redacted"}
    assert shown["metadata"]["annotations"] == {"a": "b"}


def test_the_archive_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "bug-report.tar.gz"
    archive.write(path, {"cluster/a.yaml": b"a", "versions": b"1"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        assert tar.getnames() == ["bug-report/cluster/a.yaml", "bug-report/versions"]
        assert {member.mode for member in tar} == {0o600}
    assert [one.name for one in tmp_path.iterdir()] == ["bug-report.tar.gz"]
