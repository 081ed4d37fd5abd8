from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from meshcourse.observe import bars, stats
from meshcourse.observe.result import Result, Sample


def sample(
    i: int, status: int = 200, label: str = "", error: str = "", late: float = 0.0
) -> Sample:
    return Sample(i / 100, i / 100 + late, i / 100 + late + 0.010, status, label, error)


def result(*samples: Sample) -> Result:
    return Result("http://x/", samples, 2.0, started=1000.0)


MIXED = result(
    *(sample(i, label="v1") for i in range(60)),
    *(sample(i, label="v3") for i in range(40)),
    sample(100, 503),
    sample(101, 503),
    sample(102, 0, error="Connection refused"),
)


def test_good_answers_are_counted_by_version_and_all_by_status() -> None:
    assert MIXED.versions == {"v1": 60, "v3": 40}
    assert MIXED.statuses == {0: 1, 200: 100, 503: 2}
    assert MIXED.failed == 3
    assert MIXED.n == 103
    assert MIXED.rate == 51.5


def test_errors_are_listed_with_the_most_frequent_first() -> None:
    assert MIXED.errors == {"HTTP 503": 2, "Connection refused": 1}


def test_an_unknown_version_is_counted_only_beside_known_ones() -> None:
    assert result(sample(0), sample(1)).versions == {}
    assert result(sample(0, label="v1"), sample(1)).versions == {"v1": 1, "?": 1}


def test_latency_counts_from_when_the_request_was_due() -> None:
    found = result(sample(0, late=0.5), sample(1, late=0.5))
    assert found.latency(0.5) == pytest.approx(0.510)


def test_a_split_is_judged_among_good_answers() -> None:
    assert MIXED.consistent_with({"v1": 60, "v3": 40})
    assert not MIXED.consistent_with({"v1": 90, "v3": 10})
    assert 0.6 in MIXED.share("v1")


def test_the_text_shows_counts_intervals_quantiles_and_errors() -> None:
    text = repr(MIXED)
    assert "103 requests in 2.0 s" in text
    assert "3 failed" in text
    assert "p50 10 ms" in text
    assert "v1             60  60.0% (95% interval 50.2% to 69.1%)" in text
    assert "failed 2 ×: HTTP 503" in text


def test_without_versions_status_codes_are_shown() -> None:
    text = repr(result(sample(0), sample(1, 404)))
    assert "200" in text
    assert "404" in text


def test_the_picture_is_well_formed_and_escapes_what_it_shows() -> None:
    odd = result(sample(0, label="<b>&"), sample(1, label="v1"), sample(2, 0, error="<script>"))
    html = odd._repr_html_()
    assert "<script>" not in html
    tree = ET.fromstring(html)
    assert len(tree.findall(".//{http://www.w3.org/2000/svg}rect")) == 2


def test_an_empty_run_can_be_looked_at() -> None:
    empty = Result("http://x/", (), 0.0)
    assert math.isnan(empty.rate)
    assert "0 requests" in repr(empty)
    assert "<svg" in empty._repr_html_()


def test_convergence_counts_from_wall_clock_time() -> None:
    run = result(sample(10, label="v1"), sample(20, label="v3"), sample(30, label="v3"))
    found = run.convergence(1000.05, {"v3"})
    assert (found.first, found.settled) == pytest.approx((0.15, 0.05))


def test_a_long_label_has_room_beside_its_bar() -> None:
    def width(label: str) -> int:
        found = re.search(r"width='(\d+)'", bars.svg([bars.Bar(label, 3, stats.wilson(3, 4))]))
        assert found is not None
        return int(found[1])

    assert width("v1") == width("v1" * 5) == 640
    assert width("reviews unavailable") >= 640 + 20
