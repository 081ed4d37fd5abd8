from __future__ import annotations

import dataclasses

import pytest

from meshcourse.cluster import kubeconfig, rest
from meshcourse.cluster.errors import ApiError, ClusterError
from tests.unit.cluster.fake_api import FakeApi

POD = "/api/v1/namespaces/default/pods/web"


def test_objects_are_read_with_the_token(api: FakeApi) -> None:
    api.put(POD, kind="Pod")
    assert api.client().get(POD)["kind"] == "Pod"


def test_empty_query_parameters_are_left_out(api: FakeApi) -> None:
    api.client().get(
        "/api/v1/namespaces/default/pods",
        labelSelector="",
        limit=None,
        fieldSelector="metadata.name=x",
    )
    assert api.requests[-1][2] == {"fieldSelector": "metadata.name=x"}


def test_a_refusal_is_in_the_servers_words_with_a_remedy(api: FakeApi) -> None:
    api.refuse("PATCH", POD, 400, "BadRequest", 'strict decoding error: unknown field "spec.x"')
    api.put(POD)
    with pytest.raises(ApiError) as error:
        api.client().request("PATCH", POD, body={}, content_type=rest.MERGE_PATCH)
    assert (error.value.code, error.value.reason) == (400, "BadRequest")
    assert 'unknown field "spec.x"' in str(error.value)
    assert "indentation" in error.value.remedy


def test_a_refusal_without_a_status_keeps_its_text(api: FakeApi) -> None:
    api.refusals["GET", POD] = (502, "bad gateway\n")
    with pytest.raises(ApiError, match=r"^bad gateway$"):
        api.client().get(POD)


def test_bad_credentials_say_what_to_do(api: FakeApi) -> None:
    wrong = rest.Rest(dataclasses.replace(api.client().access, token="other"))
    with pytest.raises(ApiError, match="Unauthorized") as error:
        wrong.get(POD)
    assert "meshcourse up" in error.value.remedy


def test_a_cluster_that_is_down_is_named(api: FakeApi) -> None:
    nobody = rest.Rest(kubeconfig.Access("http://127.0.0.1:9"))
    with pytest.raises(
        ClusterError, match=r"the cluster at http://127.0.0.1:9 does not answer: .*refused"
    ):
        nobody.get(POD)


def test_text_answers_are_text(api: FakeApi) -> None:
    api.refusals["GET", POD] = (200, "plain log")
    assert api.client().get(POD) == "plain log"


def test_a_watch_yields_events_however_their_bytes_are_cut(api: FakeApi) -> None:
    api.events = [{"type": "ADDED", "object": {"n": n}} for n in range(3)]
    seen = list(api.client().watch("/api/v1/pods"))
    assert [event["object"]["n"] for event in seen] == [0, 1, 2]
    assert api.requests[-1][2]["watch"] == "true"


def test_a_watch_that_is_too_old_raises(api: FakeApi) -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    api.events = [{"type": "ERROR", "object": gone}]
    with pytest.raises(ApiError, match="too old"):
        list(api.client().watch("/api/v1/pods"))


def test_a_watch_may_be_left_early(api: FakeApi) -> None:
    api.events = [{"type": "ADDED", "object": {}}] * 50
    client = api.client()
    stream = client.watch("/api/v1/pods")
    assert next(stream)["type"] == "ADDED"
    stream.close()  # type: ignore[attr-defined]
    api.put(POD, kind="Pod")
    assert client.get(POD)["kind"] == "Pod"
    client.close()
