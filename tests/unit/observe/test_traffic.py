from __future__ import annotations

import collections
import itertools
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from meshcourse.cluster import progress
from meshcourse.errors import MeshcourseError
from meshcourse.observe import classify, live, traffic


class Site(ThreadingHTTPServer):
    """A web site with three versions in turn, a login page, and a page that fails."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.turn = itertools.count()
        self.seen: collections.Counter[str] = collections.Counter()
        self.login = True
        self.delay = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        self.server.seen[self.path] += 1
        user = "jason" in self.headers.get("Cookie", "") or self.headers.get("end-user") == "jason"
        time.sleep(self.server.delay)
        if self.path == "/fails":
            return self._answer(503, "")
        version = "v2" if user else f"v{next(self.server.turn) % 3 + 1}"
        return self._answer(200, version)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if not self.server.login:
            return self._answer(404, "")
        assert self.headers["Referer"]
        user = body.split("username=")[1].split("&")[0]
        return self._answer(302, "", ("Set-Cookie", f"session={user}; Path=/"))

    def _answer(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Length", str(len(text))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


VERSION = classify.pattern(r"v\d")


def test_exactly_n_requests_are_sent_and_counted_by_version(site: Site) -> None:
    found = traffic.Run(traffic.Plan(site.url + "/", n=90, rate=900, classify=VERSION)).result()
    assert found.versions == {"v1": 30, "v2": 30, "v3": 30}
    assert site.seen["/"] == 90
    assert not found.errors


def test_the_schedule_is_kept_even_if_the_server_is_slow(site: Site) -> None:
    site.delay = 0.2
    found = traffic.Run(traffic.Plan(site.url + "/", n=30, rate=100)).result()
    gaps = [b.due - a.due for a, b in itertools.pairwise(found.samples)]
    assert gaps == pytest.approx([0.01] * 29)
    assert found.seconds < 1.5  # one after the other would be 6 s
    assert found.latency(0.5) >= 0.2


def test_a_generator_that_is_held_up_counts_the_waiting_as_latency(site: Site) -> None:
    site.delay = 0.05
    plan = traffic.Plan(site.url + "/", n=10, rate=100, concurrency=1)
    found = traffic.Run(plan).result()
    assert found.samples[-1].latency > 0.3


def test_seconds_end_a_run_as_well(site: Site) -> None:
    assert traffic.Run(traffic.Plan(site.url + "/", seconds=0.3, rate=100)).result().n == 30
    fast = traffic.Run(traffic.Plan(site.url + "/", seconds=0.2, rate=0, concurrency=4)).result()
    assert fast.n > 10
    assert 0.2 <= fast.seconds < 1


def test_a_user_signs_in_and_keeps_the_cookie(site: Site) -> None:
    plan = traffic.Plan(site.url + "/", n=12, rate=0, user="jason", classify=VERSION)
    assert traffic.Run(plan).result().versions == {"v2": 12}


def test_without_a_login_page_the_user_travels_as_a_header(site: Site) -> None:
    site.login = False
    plan = traffic.Plan(site.url + "/", n=6, rate=0, user="jason", classify=VERSION)
    assert traffic.Run(plan).result().versions == {"v2": 6}


def test_failures_are_counted_not_raised(site: Site) -> None:
    found = traffic.Run(traffic.Plan(site.url + "/fails", n=5, rate=0)).result()
    assert found.errors == {"HTTP 503": 5}


def test_a_closed_port_is_an_error_of_each_request() -> None:
    found = traffic.Run(traffic.Plan("http://127.0.0.1:9/", n=3, rate=0)).result()
    assert found.statuses == {0: 3}
    assert list(found.errors.values()) == [3]


def test_signing_in_at_a_closed_port_says_so() -> None:
    run = traffic.Run(traffic.Plan("http://127.0.0.1:9/", n=3, user="jason"))
    with pytest.raises(MeshcourseError, match="cannot sign in at"):
        run.result()


def test_a_run_can_be_stopped_and_keeps_what_it_has(site: Site) -> None:
    run = traffic.Run(traffic.Plan(site.url + "/", seconds=60, rate=50))
    while len(run.samples) < 5:
        assert run.running
        time.sleep(0.01)
    run.stop()
    found = run.result()
    assert found.stopped
    assert 5 <= found.n < 500


def test_leaving_the_with_block_ends_the_run(site: Site) -> None:
    with traffic.Run(traffic.Plan(site.url + "/", seconds=60, rate=50)) as run:
        assert run.running
    assert not run.running


@pytest.mark.parametrize(
    "wrong",
    [{}, {"n": 1, "seconds": 1.0}, {"n": -1}, {"n": 1, "rate": -1.0}, {"n": 1, "concurrency": 0}],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(MeshcourseError):
        traffic.Plan("http://x/", **wrong)  # type: ignore[arg-type]


def test_a_plan_needs_a_url() -> None:
    with pytest.raises(MeshcourseError, match="not a URL"):
        traffic.Plan("productpage", n=1)


def test_progress_shows_counts_while_it_runs(site: Site) -> None:
    shown: list[str] = []

    class Sink:
        def line(self, text: str) -> None:
            shown.append(text)

        def live(self, text: str) -> None:
            shown.append(text)

    plan = traffic.Plan(site.url + "/", n=30, rate=30, classify=VERSION)
    found = live.measure(plan, progress.Progress(Sink()))
    assert found.n == 30
    assert any("of 30 sent" in line and "v1" in line for line in shown)
    assert shown[-1].startswith("✓ traffic to")
