"""The catalogue of built-in kinds."""

from __future__ import annotations

from meshcourse.embedded.apiserver import schemas
from meshcourse.embedded.apiserver.schemas import builtin
from meshcourse.embedded.kube import refs


def test_every_kind_has_a_schema() -> None:
    kinds = schemas.builtin_kinds()
    assert len(kinds) >= 60
    assert len({(kind.group, kind.version, kind.plural) for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert (kind.group, kind.version, kind.kind) in builtin.definition_names(), kind
        assert schemas.for_builtin(kind.resource).structure.declares("metadata"), kind


def test_the_well_known_references_are_in_it() -> None:
    for resource in (
        refs.PODS,
        refs.DEPLOYMENTS,
        refs.NODES,
        refs.CRDS,
        refs.HPAS,
        refs.POD_METRICS,
    ):
        found = schemas.find(resource)
        assert found is not None
        assert found.resource == resource
    assert schemas.find(refs.VIRTUALSERVICES) is None


def test_what_discovery_says() -> None:
    deployments = schemas.find(refs.DEPLOYMENTS)
    assert deployments is not None
    assert (deployments.short_names, deployments.categories) == (("deploy",), ("all",))
    assert deployments.subresources == ("scale", "status")
    scale = deployments.subresource_details[0]
    assert (scale.kind, scale.group, scale.version) == ("Scale", "autoscaling", "v1")
    metrics = schemas.find(refs.POD_METRICS)
    assert metrics is not None
    assert (metrics.verbs, metrics.singular) == (("get", "list"), "")
    pods = schemas.find(refs.PODS)
    assert pods is not None
    assert {"log", "exec", "attach", "portforward"} <= set(pods.subresources)
