"""The message that carries log lines."""

from __future__ import annotations

import msgpack
import pytest

from meshcourse.errors import MeshcourseError
from meshcourse.observe import accesslog, logs, shipping

TEXT = (
    '[2026-11-23T01:02:03.456Z] "GET /a HTTP/1.1" 200 - via_upstream - "-" 0 145 12 9 "-" "curl/8" '
    '"aa462355" "reviews:9080" "10.0.0.1:9080" outbound|9080||reviews.default.svc.cluster.local - - - - default'
)


def log() -> logs.Log:
    entry = accesslog.parse(TEXT)
    assert entry is not None
    return logs.Log((logs.Line("productpage", "productpage-x", entry, TEXT),) * 2)


def test_the_message_is_of_forward_mode() -> None:
    tag, events = msgpack.unpackb(shipping.message("envoy", log()))
    assert tag == "envoy"
    assert len(events) == 2
    moment, record = events[0]
    assert moment == 1795395723
    assert (record["app"], record["request_id"], record["code"]) == ("productpage", "aa462355", 200)


def test_a_missing_receiver_has_a_remedy() -> None:
    class Nowhere:
        def url(self, *args: object, **named: object) -> str:
            return "http://127.0.0.1:1"

    with pytest.raises(MeshcourseError, match="takes no logs") as caught:
        shipping.ship(Nowhere(), log())  # type: ignore[arg-type]
    assert "fluent-bit" in caught.value.remedy
