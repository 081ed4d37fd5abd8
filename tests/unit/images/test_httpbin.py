"""httpbin: go-httpbin's shapes, codes and complaints."""

from __future__ import annotations

import base64
import json
import ssl
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshcourse.cluster.authority import Authority
from meshcourse.embedded.images.httpbin import answers, app, flowing


@pytest.fixture
async def http(client: Any) -> Any:
    return await client(app.application())


async def body(response: Any) -> Any:
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    return json.loads(await response.text())


def test_it_speaks_tls_with_the_files_that_its_environment_names(tmp_path: Path) -> None:
    certificate, key = Authority("test").server("api.world")
    (tmp_path / "tls.crt").write_text(certificate)
    (tmp_path / "tls.key").write_text(key)
    env = {"MESHCOURSE_ROOT": str(tmp_path), "HTTPS_CERT_FILE": "/tls.crt"}
    assert app.certificate(env) is None
    context = app.certificate({**env, "HTTPS_KEY_FILE": "/tls.key"})
    assert context is not None
    assert context.verify_mode == ssl.CERT_NONE  # it asks no client for a certificate


class TestInspecting:
    async def test_get(self, http: Any) -> None:
        response = await http.get(
            "/get?b=2&a=1&a=3", headers={"x-b3-traceid": "t", "X-Forwarded-Proto": "https"}
        )
        found = await body(response)
        assert list(found) == ["args", "headers", "method", "origin", "url"]
        assert found["args"] == {"a": ["1", "3"], "b": ["2"]}
        assert found["headers"]["X-B3-Traceid"] == ["t"]
        assert found["headers"]["Host"] == [f"127.0.0.1:{http.port}"]
        assert list(found["headers"]) == sorted(found["headers"])
        assert found["method"] == "GET"
        assert found["url"] == f"https://127.0.0.1:{http.port}/get?b=2&a=1&a=3"
        host, _, port = found["origin"].partition(":")
        assert (host, port.isdigit()) == ("127.0.0.1", True)

    async def test_pretty_with_final_newline(self, http: Any) -> None:
        text = await (
            await http.get("/ip", headers={"X-Forwarded-For": "10.1.2.3, 10.0.0.1"})
        ).text()
        assert text == '{\n  "origin": "10.1.2.3"\n}\n'

    async def test_head(self, http: Any) -> None:
        response = await http.head("/get")
        assert (response.status, await response.read()) == (200, b"")
        assert (await http.head("/head")).status == 200

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    async def test_json_body(self, http: Any, method: str) -> None:
        found = await body(await getattr(http, method)(f"/{method}", json={"a": [1]}))
        assert list(found)[5:] == ["data", "files", "form", "json"]
        assert (found["json"], found["method"]) == ({"a": [1]}, method.upper())

    async def test_form_body(self, http: Any) -> None:
        found = await body(await http.post("/post", data={"user": "jason", "empty": ""}))
        assert found["form"] == {"empty": [""], "user": ["jason"]}
        assert found["data"] == "user=jason&empty="

    async def test_files(self, http: Any) -> None:
        form = aiohttp.FormData()
        form.add_field("note", "hello")
        form.add_field("file", b"content", filename="f.txt")
        found = await body(await http.post("/post", data=form))
        assert (found["form"], found["files"]) == ({"note": ["hello"]}, {"file": ["content"]})

    async def test_other_bodies_are_data_urls(self, http: Any) -> None:
        found = await body(await http.post("/anything/x", data=b"\x00\xff"))
        encoded = base64.urlsafe_b64encode(b"\x00\xff").decode()
        assert found["data"] == f"data:application/octet-stream;base64,{encoded}"

    async def test_body_that_is_no_json(self, http: Any) -> None:
        response = await http.post("/post", data="{", headers={"Content-Type": "application/json"})
        found = await body(response)
        assert response.status == 400
        assert (found["status_code"], found["error"]) == (400, "Bad Request")
        assert found["detail"].startswith("error parsing request body")

    async def test_small_ones(self, http: Any) -> None:
        assert await body(await http.get("/user-agent", headers={"User-Agent": "x"})) == {
            "user-agent": "x"
        }
        assert uuid.UUID((await body(await http.get("/uuid")))["uuid"]).version == 4
        assert await body(await http.get("/hostname")) == {"hostname": "go-httpbin"}
        assert list(await body(await http.get("/headers"))) == ["headers"]
        assert "slideshow" in await body(await http.get("/json"))
        for path, kind in (
            ("/html", "text/html"),
            ("/xml", "application/xml"),
            ("/robots.txt", "text/plain"),
        ):
            assert (await http.get(path)).content_type == kind

    @pytest.mark.parametrize(("path", "flag"), [("/gzip", "gzipped"), ("/deflate", "deflated")])
    async def test_compressed(self, http: Any, path: str, flag: str) -> None:
        response = await http.get(path)
        assert json.loads(await response.read())[flag] is True
        assert response.headers["Content-Encoding"] == path[1:]

    async def test_response_headers(self, http: Any) -> None:
        response = await http.get("/response-headers?x-a=1&x-a=2")
        assert response.headers.getall("x-a") == ["1", "2"]
        assert await body(response) == {"x-a": ["1", "2"]}

    async def test_cookies(self, http: Any) -> None:
        assert await body(await http.get("/cookies", headers={"Cookie": "b=2; a=1"})) == {
            "a": "1",
            "b": "2",
        }
        response = await http.get("/cookies/set?k=v", allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (302, "/cookies")
        assert response.cookies["k"].value == "v"

    async def test_dump(self, http: Any) -> None:
        text = await (await http.post("/dump/request?q=1", data="hello")).text()
        assert text.startswith("POST /dump/request?q=1 HTTP/1.1\r\n")
        assert text.endswith("\r\n\r\nhello")

    async def test_any_origin(self, http: Any) -> None:
        assert (await http.get("/get")).headers["Access-Control-Allow-Origin"] == "*"
        response = await http.options(
            "/get", headers={"Origin": "http://a", "Access-Control-Request-Headers": "x-a"}
        )
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "http://a"
        assert response.headers["Access-Control-Allow-Headers"] == "x-a"

    async def test_misses(self, http: Any) -> None:
        response = await http.get("/nope")
        assert (response.status, await response.text()) == (404, "404 page not found\n")
        response = await http.get("/post")
        assert (response.status, response.headers["Allow"]) == (405, "POST")

    async def test_no_server_header(self, http: Any) -> None:
        assert "Server" not in (await http.get("/get")).headers


class TestDeciding:
    @pytest.mark.parametrize("code", [200, 204, 404, 418, 503])
    async def test_status(self, http: Any, code: int) -> None:
        response = await http.get(f"/status/{code}")
        assert response.status == code
        assert (await response.text()) == ("I'm a teapot!" if code == 418 else "")

    async def test_status_by_chance(self, http: Any) -> None:
        seen = {(await http.get("/status/200,503")).status for _ in range(40)}
        assert seen == {200, 503}
        assert {(await http.get("/status/200:1,503:0")).status for _ in range(20)} == {200}

    @pytest.mark.parametrize(
        ("path", "detail"),
        [
            (
                "/status/abc",
                'invalid status code: "abc": strconv.Atoi: parsing "abc": invalid syntax',
            ),
            ("/status/600", "invalid status code: 600 not in range [100, 599]"),
            ("/status/200,x", 'invalid choice value: "x"'),
            ("/delay/x", 'invalid duration: strconv.ParseFloat: parsing "x": invalid syntax'),
            ("/delay/11", "invalid duration: duration 11s longer than 10s"),
            ("/bytes/x", 'invalid byte count: strconv.Atoi: parsing "x": invalid syntax'),
            ("/redirect/0", "redirect count must be > 0"),
            ("/redirect-to", "missing required query parameter: url"),
            ("/unstable?failure_rate=2", "invalid failure rate: 2 not in range [0, 1]"),
        ],
    )
    async def test_complaints(self, http: Any, path: str, detail: str) -> None:
        response = await http.get(path)
        assert response.status == 400
        assert await body(response) == {
            "status_code": 400,
            "error": "Bad Request",
            "detail": detail,
        }

    async def test_redirects(self, http: Any) -> None:
        response = await http.get("/redirect/3")
        assert (response.status, response.url.path, len(response.history)) == (200, "/get", 3)
        response = await http.get("/redirect-to?url=/ip&status_code=307", allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (307, "/ip")
        response = await http.get("/absolute-redirect/1", allow_redirects=False)
        assert response.headers["Location"] == f"http://127.0.0.1:{http.port}/get"

    async def test_basic_auth(self, http: Any) -> None:
        response = await http.get("/basic-auth/u/p")
        assert (response.status, response.headers["WWW-Authenticate"]) == (
            401,
            'Basic realm="Fake Realm"',
        )
        headers = {"Authorization": "Basic " + base64.b64encode(b"u:p").decode()}
        assert await body(await http.get("/basic-auth/u/p", headers=headers)) == {
            "authorized": True,
            "user": "u",
        }
        assert (await http.get("/hidden-basic-auth/u/p")).status == 404
        assert (await http.get("/hidden-basic-auth/u/p", headers=headers)).status == 200

    async def test_bearer(self, http: Any) -> None:
        assert (await http.get("/bearer")).status == 401
        found = await body(await http.get("/bearer", headers={"Authorization": "Bearer t0"}))
        assert found == {"authenticated": True, "token": "t0"}

    async def test_caching(self, http: Any) -> None:
        assert (await http.get("/cache")).status == 200
        assert (await http.get("/cache", headers={"If-None-Match": "x"})).status == 304
        assert (await http.get("/cache/60")).headers["Cache-Control"] == "public, max-age=60"
        assert (await http.get("/etag/t", headers={"If-None-Match": '"t"'})).status == 304
        assert (await http.get("/etag/t", headers={"If-Match": '"other"'})).status == 412

    async def test_base64(self, http: Any) -> None:
        assert await (await http.get("/base64/aGVsbG8=")).text() == "hello"
        assert await (await http.get("/base64/encode/hello")).text() == "aGVsbG8="

    async def test_unstable(self, http: Any) -> None:
        assert (await http.get("/unstable?failure_rate=1")).status == 500
        assert (await http.get("/unstable?failure_rate=0")).status == 200


class TestFlowing:
    async def test_delay(self, http: Any) -> None:
        response = await http.post("/delay/30ms", json={"a": 1})
        assert "initial_delay;dur=30.00" in response.headers["Server-Timing"]
        assert (await body(response))["json"] == {"a": 1}

    async def test_stream(self, http: Any) -> None:
        lines = (await (await http.get("/stream/3?a=1")).text()).splitlines()
        assert [json.loads(line)["id"] for line in lines] == [0, 1, 2]
        assert json.loads(lines[0])["args"] == {"a": ["1"]}

    async def test_bytes(self, http: Any) -> None:
        one, two = [await (await http.get("/bytes/64?seed=7")).read() for _ in range(2)]
        assert one == two
        assert len(one) == 64
        assert len(await (await http.get("/bytes/999999")).read()) == 100 * 1024
        assert len(await (await http.get("/stream-bytes/25000?chunk_size=1000")).read()) == 25000

    async def test_drip(self, http: Any) -> None:
        response = await http.get("/drip?duration=0.05&delay=0&numbytes=5&code=202")
        assert (response.status, await response.text()) == (202, "*****")
        assert response.headers["Content-Length"] == "5"

    async def test_events(self, http: Any) -> None:
        text = await (await http.get("/sse?count=2&duration=20ms")).text()
        assert text.count("event: ping\ndata: ") == 2

    async def test_websocket(self, http: Any) -> None:
        async with http.ws_connect("/websocket/echo") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
        assert (await http.get("/websocket/echo")).status == 400

    def test_limits_are_those_of_the_original(self) -> None:
        assert (flowing.MAX_SECONDS, flowing.MAX_BODY, flowing.MAX_BYTES) == (
            10.0,
            1 << 20,
            100 << 10,
        )


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("1.5", 1.5), ("200ms", 0.2), ("1m0.5s", 60.5), ("2s", 2.0)]
)
def test_durations(text: str, value: float) -> None:
    assert answers.seconds(text, "d", 100) == pytest.approx(value)
