from __future__ import annotations

import pytest

from meshcourse.embedded.kube import addresses, objects, refs, status
from meshcourse.embedded.kube.status import ApiError, Cause

POD = {
    "metadata": {
        "name": "p",
        "annotations": {
            addresses.ANNOTATION: addresses.PodAddresses(
                "127.66.0.5", "127.66.128.5", {9080: (31000, 31001)}
            ).render()
        },
    }
}


def test_a_pod_is_reached_at_its_real_port() -> None:
    assert addresses.pod_endpoint(POD, 9080) == ("127.66.0.5", 31000)
    assert addresses.app_endpoint(POD, 9080) == ("127.66.128.5", 31001)
    assert addresses.pod_endpoint(POD, 80) == ("127.66.0.5", 80)


def test_a_pod_without_addresses() -> None:
    with pytest.raises(LookupError, match="pod p has no addresses yet"):
        addresses.pod_endpoint({"metadata": {"name": "p"}}, 80)


def test_clones_share_nothing() -> None:
    original = {"a": [{"b": 1}]}
    copied = objects.clone(original)
    copied["a"][0]["b"] = 2
    assert original == {"a": [{"b": 1}]}


def test_paths_of_resources() -> None:
    assert refs.PODS.path("d", "p", "log") == "/api/v1/namespaces/d/pods/p/log"
    assert refs.CRDS.path() == "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert refs.DEPLOYMENTS.path() == "/apis/apps/v1/deployments"


def test_invalid_lists_its_causes() -> None:
    causes = [Cause("FieldValueRequired", "Required value", "spec.a"), Cause("X", "bad", "spec.b")]
    error = status.invalid(refs.DEPLOYMENTS, "web", causes)
    assert error.message == (
        'Deployment.apps "web" is invalid: [spec.a: Required value, spec.b: bad]'
    )
    found = error.to_status()
    assert found["code"] == 422
    assert found["details"]["kind"] == "Deployment"
    assert found["details"]["causes"][0] == {
        "reason": "FieldValueRequired",
        "message": "Required value",
        "field": "spec.a",
    }


def test_errors_survive_the_wire() -> None:
    error = status.not_found(refs.PODS, "p")
    again = status.from_status(error.to_status())
    assert (again.code, again.reason, str(again)) == (404, "NotFound", 'pods "p" not found')
    assert "reason" not in ApiError(400, "", "denied").to_status()
