"""The load client's arithmetic and its runs against a real server; nc through a proxy."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshcourse.embedded.images import outbound
from meshcourse.embedded.images.httpbin import app as httpbin
from meshcourse.embedded.images.samples import tcp_echo
from meshcourse.embedded.images.tools import nc
from meshcourse.embedded.images.tools.fortio import connection, load, main, options, results


class TestOptions:
    def test_flags_of_the_circuit_breaking_task(self) -> None:
        asked = options.parse(
            ["-c", "3", "-qps", "0", "-n", "30", "-loglevel", "Warning", "http://httpbin:8000/get"]
        )
        assert (asked.connections, asked.qps, asked.calls, asked.url) == (
            3,
            0,
            30,
            "http://httpbin:8000/get",
        )
        assert options.parse(["--t=1m30s", "-H", "a: b", "-quiet", "x"]).duration == 90
        assert options.parse(["x"]).url == "http://x"

    def test_defaults_are_fortios(self) -> None:
        asked = options.Options()
        assert (asked.connections, asked.qps, asked.duration, asked.timeout) == (4, 8, 5, 3)

    @pytest.mark.parametrize("words", [["-c"], ["-c", "x"], ["-frob", "1"], ["-t", "soon", "u"]])
    def test_misuse(self, words: list[str]) -> None:
        with pytest.raises(options.UsageError):
            options.parse(words)

    def test_misuse_is_explained(self, capsys: Any) -> None:
        assert main.main(["fortio", "load"]) == 1
        assert main.main(["fortio", "dance"]) == 1
        assert "usage: fortio load" in capsys.readouterr().err


class TestPlan:
    def shares(self, *words: str) -> load.Plan:
        return load.plan(options.parse([*words, "u"]))

    def test_exact_calls(self) -> None:
        assert self.shares("-qps", "0", "-n", "20", "-c", "3") == load.Plan([8, 6, 6], 0)

    def test_a_rate_spreads_over_the_connections(self) -> None:
        assert self.shares("-qps", "10", "-t", "2s", "-c", "4") == load.Plan([5, 5, 5, 5], 0.4)

    def test_at_least_two_calls_each(self) -> None:
        assert len(self.shares("-qps", "1", "-n", "4", "-c", "8").shares) == 2

    def test_until_time_is_over(self) -> None:
        assert self.shares("-qps", "0", "-t", "1s", "-c", "2") == load.Plan([None, None], 0)


class TestResults:
    def test_counter(self) -> None:
        assert (
            results.counter("T", [1.0, 2.0, 3.0])
            == "T : count 3 avg 2 +/- 0.8165 min 1 max 3 sum 6"
        )

    def test_buckets_and_percentiles(self) -> None:
        values = [0.0005, 0.0015, 0.0016, 0.011]
        found = results.buckets(values)
        assert found == [
            (0.0005, 0.001, 25.0, 1),
            (0.001, 0.002, 75.0, 2),
            (pytest.approx(0.01), 0.011, 100.0, 1),
        ]
        assert results.percentile(found, 0.0005, 0.011, 50) == pytest.approx(0.0015)
        assert results.percentile(found, 0.0005, 0.011, 10) == 0.0005
        lines = results.histogram("F", values, [50])
        assert lines[1] == "# range, mid point, percentile, count"
        assert lines[2] == ">= 0.0005 <= 0.001 , 0.00075 , 25.00, 1"
        assert lines[-1] == "# target 50% 0.0015"

    def test_nothing(self) -> None:
        assert results.histogram("Error cases", [], [50]) == ["Error cases : no data"]

    def test_codes(self) -> None:
        assert results.codes(Counter({503: 3, 200: 17})) == [
            "Code 200 : 17 (85.0 %)",
            "Code 503 : 3 (15.0 %)",
        ]


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    made = TestServer(httpbin.application(), host="127.0.0.1")
    await made.start_server()
    yield made
    await made.close()


class TestRuns:
    async def test_load(self, server: TestServer, capsys: Any) -> None:
        words = ["-c", "2", "-qps", "0", "-n", "21", str(server.make_url("/get"))]
        assert await load.run(options.parse(words)) == 0
        out = capsys.readouterr().out
        assert "running at 0 queries per second" in out
        assert "for exactly 21 calls (10 per thread + 1)" in out
        assert "Aggregated Function Time : count 21 avg 0." in out
        assert "Sockets used: 2 (for perfect keepalive, would be 2)" in out
        assert "Code 200 : 21 (100.0 %)" in out
        assert "All done 21 calls (plus 0 warmup) " in out

    async def test_an_error_costs_a_socket(self, server: TestServer, capsys: Any) -> None:
        words = ["-c", "1", "-qps", "0", "-n", "3", str(server.make_url("/status/503"))]
        await load.run(options.parse(words))
        captured = capsys.readouterr()
        assert "Sockets used: 3 (for perfect keepalive, would be 1)" in captured.out
        assert "Code 503 : 3 (100.0 %)" in captured.out
        assert "Error cases : count 3 avg" in captured.out
        assert captured.err.count("Non ok http code, code=503") == 3

    async def test_a_rate_with_warm_up(self, server: TestServer, capsys: Any) -> None:
        words = ["-c", "2", "-qps", "40", "-t", "200ms", str(server.make_url("/bytes/10"))]
        await load.run(options.parse(words))
        assert "All done 8 calls (plus 2 warmup)" in capsys.readouterr().out

    async def test_a_bad_start_aborts(self, server: TestServer, capsys: Any) -> None:
        words = ["-c", "1", "-t", "1s", str(server.make_url("/status/404"))]
        assert await load.run(options.parse(words)) == 1
        assert "Aborting because of error 404" in capsys.readouterr().out

    async def test_nobody_there(self, unused_tcp_port: int, capsys: Any) -> None:
        await load.run(
            options.parse(["-qps", "0", "-c", "1", "-n", "2", f"127.0.0.1:{unused_tcp_port}"])
        )
        assert "Code  -1 : 2 (100.0 %)" in capsys.readouterr().out

    async def test_through_a_proxy(self, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        proxy = await backend({})
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        one = connection.Connection(options.parse(["-H", "x-a: 1", "http://httpbin:8000/get"]))
        assert (await one.call()).code == 200
        one.close()
        assert str(proxy.requests[0].url) == "http://httpbin:8000/get"
        assert proxy.requests[0].headers["x-a"] == "1"

    async def test_chunked(self, server: TestServer) -> None:
        one = connection.Connection(options.parse([str(server.make_url("/stream/2"))]))
        first, second = await one.call(), await one.call()
        assert (first.code, first.size == second.size, one.sockets) == (200, True, 1)
        one.close()

    async def test_curl(self, server: TestServer, capsys: Any) -> None:
        words = ["fortio", "curl", "-quiet", str(server.make_url("/get"))]
        assert await asyncio.to_thread(main.main, words) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["method"] == "GET"
        assert captured.err.startswith("HTTP/1.1 200 OK\r\n")

    async def test_echo_server(self, client: Any) -> None:
        http = await client(main.echo_application())
        response = await http.post("/echo?status=503&delay=1ms", data="hello")
        assert (response.status, await response.text()) == (503, "hello")
        assert "x-a: 1" in (await (await http.get("/debug", headers={"x-a": "1"})).text()).lower()


RUN_NC = f"import sys; from {nc.__name__} import main; sys.exit(main(sys.argv))"


class TestNc:
    def test_arguments(self) -> None:
        assert nc.arguments(["nc", "-zv", "-w", "3", "tcp-echo", "9000"]) == (
            {"z", "v"},
            3.0,
            "tcp-echo",
            9000,
        )
        assert nc.arguments(["nc", "-w2", "h", "1"])[1] == 2.0
        for words in (["nc", "h"], ["nc", "-x", "h", "1"], ["nc", "h", "port"]):
            with pytest.raises(ValueError):
                nc.arguments(words)

    async def test_a_line_through_a_tunnel(self, backend: Any) -> None:
        echo = await asyncio.start_server(tcp_echo.handler("one"), "127.0.0.1", 0)
        target = echo.sockets[0].getsockname()[1]

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"CONNECT tcp-echo:9000 ")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", target)
            back_writer.write(await reader.read())
            back_writer.write_eof()
            writer.write(await back_reader.read())
            back_writer.close()
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        env = {"http_proxy": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUN_NC, "tcp-echo", "9000"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=env,
        )
        out, _ = await asyncio.wait_for(process.communicate(b"world\n"), 10)
        assert (process.returncode, out) == (0, b"one world\n")
        server.close()
        echo.close()

    async def test_only_asking(self, unused_tcp_port: int, capsys: Any) -> None:
        server = await asyncio.start_server(tcp_echo.handler("x"), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        assert await nc.talk({"z", "v"}, 2, "127.0.0.1", port) == 0
        assert f"Connection to 127.0.0.1 {port} port [tcp/*] succeeded!" in capsys.readouterr().err
        assert await nc.talk({"z"}, 2, "127.0.0.1", unused_tcp_port) == 1
        server.close()


def test_proxies_are_read_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://late:1")
    assert outbound.Proxies.from_environment().http == "http://late:1"
    assert isinstance(main.echo_application(), web.Application)
