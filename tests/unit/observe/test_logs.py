"""Access-log lines: parsed, explained, in a table."""

from __future__ import annotations

import time

from meshcourse.observe import accesslog, logs

LINE = (
    '[2026-11-23T01:02:03.456Z] "GET /reviews/0 HTTP/1.1" 503 UF '
    'upstream_reset_before_response_started{connection_failure} - "delayed_connect_error:_111" 0 145 12 - "-" '
    '"curl/8" "aa462355-26ca-92ba" "reviews:9080" "10.0.0.1:9080" '
    "outbound|9080|v2|reviews.default.svc.cluster.local - 10.1.0.1:9080 10.0.0.2:43 - v2"
)
GOOD = LINE.replace(
    "503 UF upstream_reset_before_response_started{connection_failure}", "200 - via_upstream"
)


def line(text: str) -> logs.Line:
    entry = accesslog.parse(text)
    assert entry is not None
    return logs.Line("productpage", "productpage-v1-x", entry, text)


def test_every_field_is_read() -> None:
    entry = line(LINE).entry
    assert (entry.code, entry.flags, entry.sent, entry.received) == (503, "UF", 145, 0)
    assert (entry.service_time, entry.protocol) == (0, "HTTP/1.1")
    assert entry.details.startswith("upstream_reset_before")
    assert entry.failure == "delayed_connect_error:_111"
    assert entry.towards == "reviews (v2)"
    assert entry.meaning == "no connection to the upstream"
    assert line(GOOD).entry.meaning == accesslog.FLAGS["-"]
    assert accesslog.parse("2026 info envoy starting") is None


def test_a_log_is_a_table() -> None:
    found = logs.Log((line(GOOD), line(LINE)))
    assert "GET /reviews/0" in repr(found)
    assert repr(found).splitlines()[0].startswith("Envoy of")
    assert "#b23b3b" in found._repr_html_()
    assert (len(found), found[1].entry.flags) == (2, "UF")
    assert repr(logs.Log(())) == "no lines"
    assert (len(found.to("reviews")), len(found.to("v2")), len(found.to("ratings"))) == (2, 0, 0)


def test_until_looks_again_and_gives_up_in_time() -> None:
    looks: list[int] = []

    def look() -> logs.Log:
        looks.append(1)
        return logs.Log((line(GOOD),) * len(looks))

    assert len(logs.until(look, lambda log: len(log) >= 3)) == 3
    started = time.monotonic()
    assert len(logs.until(lambda: logs.Log(()), lambda log: len(log) > 0, seconds=0.3)) == 0
    assert time.monotonic() - started < 3
