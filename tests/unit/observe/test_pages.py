"""Pages as a browser loads them: assets found, redirects followed, what is missing named."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from meshcourse.observe import pages, send

PAGE = """<!doctype html><head><base href="/app/"><link rel="icon" href="data:,">
<link rel="stylesheet" href="a.css"><link rel="canonical" href="/nowhere"><script src="b.js?v=1"></script></head>
<img src="/c.svg"><img src="http://elsewhere.example/d.png"><script>inline()</script>"""
ANSWERS = {
    "/": (302, "/app/", "text/html"),
    "/app/": (200, PAGE, "text/html; charset=utf-8"),
    "/app/a.css": (200, "a{}", "text/css"),
    "/app/b.js?v=1": (200, "b", "text/javascript"),
    "/app/api": (200, "{}", "application/json"),
    "/away": (302, "http://elsewhere.example/", "text/html"),
}


class Site(http.server.BaseHTTPRequestHandler):
    """Known under one name only, as behind a gateway."""

    def do_GET(self) -> None:
        known = self.headers["Host"] == "app.example.com"
        status, text, kind = ANSWERS.get(self.path, (404, "", "")) if known else (404, "", "")
        self.send_response(status)
        if status == 302:
            self.send_header("Location", text)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(send, "url_of", lambda *_: f"http://127.0.0.1:{server.server_address[1]}/")
    yield SimpleNamespace()
    server.shutdown()
    thread.join()
    server.server_close()


def test_assets_of_the_own_site_in_order() -> None:
    assert pages.assets("http://app.example.com/app/", PAGE) == [
        "http://app.example.com/app/a.css",
        "http://app.example.com/app/b.js?v=1",
        "http://app.example.com/c.svg",
    ]


def test_a_page_with_everything_and_what_is_missing(cluster: Any) -> None:
    found = pages.load(cluster, "http://app.example.com/", also=("/app/api",))
    assert [part.status for part in found.parts] == [200, 200, 200, 404, 200]
    assert found.parts[0].url == "http://app.example.com/app/"
    assert not found.ok
    assert [part.url for part in found.missing] == ["http://app.example.com/c.svg"]
    assert repr(found).endswith("4 of 5 arrived")


def test_other_names_and_redirects_away(cluster: Any) -> None:
    assert [part.status for part in pages.load(cluster, "http://other.example.com/").parts] == [404]
    [away] = pages.load(cluster, "http://app.example.com/away").parts
    assert (away.status, away.ok) == (302, False)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "url_of", lambda *_: "http://127.0.0.1:1/")
    found = pages.load(SimpleNamespace(), "http://app.example.com/")  # type: ignore[arg-type]
    assert [part.status for part in found.parts] == [0]
    assert not found.ok
