"""The catalogue, what images get from their surroundings, serving and calling out."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from meshcourse.embedded import images
from meshcourse.embedded.images import common, executables, outbound
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.samples import helloworld, nginx, programs, tcp_echo


class TestCatalogue:
    @pytest.mark.parametrize("table", [images.IMAGES, images.EXECUTABLES])
    def test_every_entry_can_be_called(self, table: dict[str, str]) -> None:
        assert table
        for name, target in table.items():
            module, _, attribute = target.partition(":")
            assert callable(getattr(importlib.import_module(module), attribute)), name

    def test_preload_can_be_imported(self) -> None:
        assert [importlib.import_module(name).__name__ for name in images.PRELOAD] == list(
            images.PRELOAD
        )

    def test_names(self) -> None:
        assert set(images.EXECUTABLES) >= images.HOST_FIRST
        assert "nc" not in images.HOST_FIRST
        variants = {"v1", "v2", "v-faulty", "v-delayed", "v-unavailable", "v-unhealthy"}
        assert {f"examples-bookinfo-ratings-{name}" for name in variants} <= set(images.IMAGES)


POD = {"MESHCOURSE_POD_IP": "127.66.0.5", "MESHCOURSE_APP_IP": "127.66.128.5"}


class TestSurroundings:
    def test_listen_outside_a_pod(self) -> None:
        assert common.listen(9080, {}) == ("127.0.0.1", 9080)

    def test_listen_with_an_address_per_pod(self) -> None:
        plain = POD | {"MESHCOURSE_LISTEN_HOST": "127.66.0.5", "MESHCOURSE_PORTS": "{}"}
        assert common.listen(9080, plain) == ("127.66.0.5", 9080)

    def test_listen_at_mapped_ports(self) -> None:
        ports = {"MESHCOURSE_PORTS": json.dumps({"80": [20001, 20002]})}
        assert common.listen(80, POD | ports | {"MESHCOURSE_LISTEN_HOST": "127.66.0.5"}) == (
            "127.66.0.5",
            20001,
        )
        assert common.listen(80, POD | ports | {"MESHCOURSE_LISTEN_HOST": "127.66.128.5"}) == (
            "127.66.128.5",
            20002,
        )

    def test_listen_where_both_addresses_are_one(self) -> None:
        env = dict.fromkeys((*POD, "MESHCOURSE_LISTEN_HOST"), "127.0.0.1")
        assert common.listen(80, env | {"MESHCOURSE_PORTS": '{"80": [1, 2]}'}) == ("127.0.0.1", 2)

    def test_mounted(self) -> None:
        assert common.mounted("/etc/x", {"MESHCOURSE_ROOT": "/tmp/c1"}) == Path("/tmp/c1/etc/x")

    def test_port_argument(self) -> None:
        assert common.port_argument(["image"], 9080) == 9080
        assert common.port_argument(["image", "ruby", "details.rb", "1234"], 9080) == 1234

    def test_baked_variables_give_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STAR_COLOR", "green")
        monkeypatch.delenv("SERVICE_VERSION", raising=False)
        common.bake(STAR_COLOR="red", SERVICE_VERSION="v3")
        assert (os.environ["STAR_COLOR"], os.environ["SERVICE_VERSION"]) == ("green", "v3")
        monkeypatch.delenv("SERVICE_VERSION")


async def reachable(port: int) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return


class TestServing:
    async def test_access_line_and_graceful_end(
        self, unused_tcp_port: int, capsys: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MESHCOURSE_DRAIN_SECONDS", "0")
        inside, release = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request) -> web.Response:
            inside.set()
            await release.wait()
            return web.Response(text="done")

        app = serving.application("meshcourse-test")
        app.router.add_get("/slow", slow)
        server = asyncio.create_task(serving.serve(app, unused_tcp_port))
        await reachable(unused_tcp_port)
        http = outbound.Http(outbound.Proxies())
        url = f"http://127.0.0.1:{unused_tcp_port}/slow?a=1"
        answer = asyncio.create_task(http.get(url, {"x-request-id": "r1"}, 5))
        await inside.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        release.set()
        assert (await answer).body == b"done"
        await http.close()
        await asyncio.wait_for(server, 5)
        out = capsys.readouterr().out
        assert f"listening on http://127.0.0.1:{unused_tcp_port}" in out
        [line] = [line for line in out.splitlines() if "GET" in line]
        assert '"GET /slow?a=1 HTTP/1.1" 200 4 ' in line
        assert line.endswith("ms r1")

    async def test_server_header(self, client: Any) -> None:
        app = serving.application("meshcourse-test")
        assert (await (await client(app)).get("/")).headers["Server"] == "meshcourse-test"
        silent = serving.application("")
        assert "Server" not in (await (await client(silent)).get("/")).headers

    def test_a_taken_port_is_reported(self, unused_tcp_port: int, capsys: Any) -> None:
        import socket

        with socket.create_server(("127.0.0.1", unused_tcp_port)):
            assert serving.run(lambda: serving.application(""), unused_tcp_port) == 1
        assert "cannot serve" in capsys.readouterr().err


class TestOutbound:
    @pytest.mark.parametrize(
        ("host", "no_proxy", "expected"),
        [
            ("reviews", "", False),
            ("127.66.0.1", "127.66.0.1,localhost", True),
            ("127.66.0.1", "127.66.0.10", False),
            ("a.example.com", ".example.com", True),
            ("a.example.com", "example.com", True),
            ("notexample.com", "example.com", False),
            ("127.66.9.9", "127.0.0.0/8", True),
            ("reviews", "127.0.0.0/8", False),
            ("anything", "*", True),
        ],
    )
    def test_no_proxy(self, host: str, no_proxy: str, expected: bool) -> None:
        assert outbound.bypasses(host, no_proxy) is expected

    def test_environment(self) -> None:
        env = {
            "http_proxy": "http://p:1",
            "HTTP_PROXY": "http://q:2",
            "HTTPS_PROXY": "http://s:3",
            "no_proxy": "x",
        }
        found = outbound.Proxies.from_environment(env)
        assert (found.of("http", "reviews"), found.of("https", "reviews")) == (
            "http://p:1",
            "http://s:3",
        )
        assert found.of("http", "x") is None

    async def test_by_authority_through_the_proxy(self, backend: Any) -> None:
        proxy = await backend({"ok": True})
        http = outbound.Http(outbound.Proxies(f"http://127.0.0.1:{proxy.port}"))
        for _ in range(2):
            assert (await http.get("http://reviews:9080/reviews/0", {}, 1)).status == 200
        await http.close()
        assert [request.headers["Host"] for request in proxy.requests] == ["reviews:9080"] * 2
        assert [str(request.url) for request in proxy.requests] == [
            "http://reviews:9080/reviews/0"
        ] * 2

    async def test_a_proxy_that_came_back_is_used_again(self) -> None:
        """A sidecar restarts: the pooled connection is dead, and the next request does not notice."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                await writer.drain()
                writers.append(writer)

        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await answer(reader, writer)
            except asyncio.IncompleteReadError:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        http = outbound.Http(outbound.Proxies(f"http://127.0.0.1:{port}"))
        assert (await http.get("http://details/", {}, 1)).body == b"ok"
        writers[0].transport.abort()
        assert (await http.get("http://details/", {}, 1)).body == b"ok"
        await http.close()
        server.close()

    async def test_tunnel(self) -> None:
        asked: list[bytes] = []

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await outbound.connect(
            "redis", 6379, outbound.Proxies(f"http://127.0.0.1:{port}")
        )
        assert await reader.read() == b"hello"
        assert asked == [b"CONNECT redis:6379 HTTP/1.1\r\nHost: redis:6379\r\n\r\n"]
        writer.close()
        server.close()


class TestSamples:
    async def test_helloworld(self, client: Any) -> None:
        http = await client(
            helloworld.application({"SERVICE_VERSION": "v2", "HOSTNAME": "pod-1"}, effort=10)
        )
        assert await (await http.get("/hello")).text() == "Hello version: v2, instance: pod-1\n"
        assert await (await http.get("/health")).text() == "Helloworld is healthy"
        assert helloworld.EFFORT == 1_000_000

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ([], ([9000], "hello")),
            (["9000,9001,9002", "one"], ([9000, 9001, 9002], "one")),
            (["/bin/tcp-echo", "9000", "two"], ([9000], "two")),
        ],
    )
    def test_tcp_echo_arguments(self, words: list[str], expected: tuple[list[int], str]) -> None:
        assert tcp_echo.arguments(["image", *words]) == expected

    def test_tcp_echo_usage(self, capsys: Any) -> None:
        assert tcp_echo.main(["image", "9000"]) == 1
        assert "usage" in capsys.readouterr().out

    async def test_tcp_echo(self, capsys: Any) -> None:
        server = await asyncio.start_server(tcp_echo.handler("one"), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"a\nb\n")
        assert [await reader.readline(), await reader.readline()] == [b"one a\n", b"one b\n"]
        writer.close()
        server.close()
        assert "request: a\nresponse: one a" in capsys.readouterr().out

    async def test_nginx(self, client: Any, tmp_path: Path) -> None:
        http = await client(nginx.application(tmp_path / "html"))
        assert "stand-in" in await (await http.get("/")).text()
        assert (await http.get("/x.txt")).status == 404
        (tmp_path / "html").mkdir()
        (tmp_path / "html" / "x.txt").write_text("mine")
        (tmp_path / "secret.txt").write_text("no")
        assert await (await http.get("/x.txt")).text() == "mine"
        assert (await http.get("/%2e%2e/secret.txt")).status == 404


class TestPrograms:
    @pytest.fixture
    def executed(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        seen: list[list[str]] = []
        monkeypatch.setattr(programs.os, "execv", lambda path, argv: seen.append([path, *argv]))
        return seen

    @pytest.fixture
    def called(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        seen: list[list[str]] = []
        monkeypatch.setattr(executables, "function", _remember(seen, {"curl", "fortio", "nc"}))
        return seen

    def test_curl_image(self, called: list[list[str]], executed: list[list[str]]) -> None:
        programs.curl(["image", "-s", "http://x/"])
        programs.curl(["image", "curl", "http://x/"])
        assert called == [["curl", "-s", "http://x/"], ["curl", "http://x/"]]
        programs.curl(["image", "/bin/sh", "-c", "true"])
        assert executed == [["/bin/sh", "/bin/sh", "-c", "true"]]

    def test_fortio_image(self, called: list[list[str]]) -> None:
        for words in ([], ["load", "u"], ["/usr/bin/fortio", "load", "u"]):
            programs.fortio(["image", *words])
        assert called == [["fortio", "server"], ["fortio", "load", "u"], ["fortio", "load", "u"]]

    def test_no_such_program(self, capsys: Any) -> None:
        assert programs.run(["/no/such/program"]) == 127
        assert (
            'exec: "/no/such/program": executable file not found in $PATH'
            in capsys.readouterr().err
        )


def _remember(
    seen: list[list[str]], names: set[str]
) -> Callable[[str], executables.Program | None]:
    def function(name: str) -> executables.Program | None:
        def program(argv: list[str]) -> int:
            seen.append(argv)
            return 0

        return program if name in names else None

    return function


class TestExecutables:
    def test_host_first(self, tmp_path: Path) -> None:
        (tmp_path / "curl").write_text("#!/bin/sh\n")
        (tmp_path / "nc").write_text("#!/bin/sh\n")
        for name in ("curl", "nc"):
            (tmp_path / name).chmod(0o755)
        assert not executables.wanted("curl", str(tmp_path))
        assert executables.wanted("nc", str(tmp_path))
        assert executables.wanted("curl", "")
        assert not executables.wanted("vim", "")

    def test_function(self) -> None:
        program = executables.function("fortio", "")
        assert (
            program is importlib.import_module("meshcourse.embedded.images.tools.fortio.main").main
        )
        assert executables.function("vim", "") is None
