"""Our curl: what it sends, what it prints, and with which code it ends, against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meshcourse.embedded.images.httpbin import app as httpbin
from meshcourse.embedded.images.tools import wget
from meshcourse.embedded.images.tools.curl import main as curl
from meshcourse.embedded.images.tools.curl import options, report, transfer, wire
from meshcourse.embedded.images.tools.curl.errors import UsageError


@dataclass
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    made = TestServer(httpbin.application(), host="127.0.0.1")
    await made.start_server()
    yield made
    await made.close()


@pytest.fixture
def run(capsys: Any) -> Callable[..., Any]:
    """``await run("-s", url)``: curl in a thread, for the server lives in this one."""

    async def call(*words: object, program: Callable[[list[str]], int] = curl.main) -> Ran:
        capsys.readouterr()
        code = await asyncio.to_thread(program, ["curl", *map(str, words)])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


class TestRequests:
    async def test_get(self, run: Any, server: TestServer) -> None:
        ran = await run("-s", server.make_url("/get?a=1"))
        found = json.loads(ran.out)
        assert (ran.code, ran.err, found["args"]) == (0, "", {"a": ["1"]})
        assert found["headers"]["Host"] == [f"127.0.0.1:{server.port}"]
        assert found["headers"]["Accept"] == ["*/*"]
        assert found["headers"]["User-Agent"][0].startswith("curl/")

    async def test_without_a_scheme(self, run: Any, server: TestServer) -> None:
        ran = await run("-s", f"127.0.0.1:{server.port}/ip")
        assert (ran.code, list(json.loads(ran.out))) == (0, ["origin"])

    async def test_headers(self, run: Any, server: TestServer) -> None:
        words = [
            "-H",
            "Host: httpbin.example.com",
            "-H",
            "x-a: 1",
            "-HAccept:",
            "-A",
            "me",
            "-b",
            "k=v",
            "-e",
            "r",
        ]
        ran = await run("-s", *words, server.make_url("/headers"))
        found = json.loads(ran.out)["headers"]
        assert found["Host"] == ["httpbin.example.com"]
        assert found["X-A"] == ["1"]
        assert "Accept" not in found
        assert (found["User-Agent"], found["Cookie"], found["Referer"]) == (["me"], ["k=v"], ["r"])

    async def test_data(self, run: Any, server: TestServer, tmp_path: Path) -> None:
        ran = await run("-s", "-d", "a=1", "--data-urlencode", "b=x y", server.make_url("/post"))
        found = json.loads(ran.out)
        assert (found["method"], found["form"]) == ("POST", {"a": ["1"], "b": ["x y"]})
        (tmp_path / "f").write_text('{"a":\n1}')
        words = ["-H", "Content-Type: application/json", "-d", f"@{tmp_path / 'f'}"]
        assert json.loads((await run("-s", *words, server.make_url("/post"))).out)["json"] == {
            "a": 1
        }
        ran = await run("-s", "--json", '{"b":2}', "-X", "PUT", server.make_url("/put"))
        assert (json.loads(ran.out)["json"], json.loads(ran.out)["method"]) == ({"b": 2}, "PUT")
        ran = await run("-s", "-d", "", "-o/dev/null", "-w", "%{method}", server.make_url("/post"))
        assert ran.out == "POST"
        ran = await run("-s", "-G", "-d", "q=1", server.make_url("/get?p=2"))
        assert json.loads(ran.out)["args"] == {"p": ["2"], "q": ["1"]}

    async def test_credentials(self, run: Any, server: TestServer) -> None:
        url = server.make_url("/basic-auth/u/p")
        assert json.loads((await run("-s", "-u", "u:p", url)).out)["authorized"] is True
        assert json.loads((await run("-s", url)).out)["authorized"] is False

    async def test_resolve(self, run: Any, server: TestServer) -> None:
        rule = f"httpbin.example.com:{server.port}:127.0.0.1"
        ran = await run(
            "-s", "--resolve", rule, f"http://httpbin.example.com:{server.port}/headers"
        )
        assert json.loads(ran.out)["headers"]["Host"] == [f"httpbin.example.com:{server.port}"]
        rule = f"::127.0.0.1:{server.port}"
        assert (await run("-s", "--connect-to", rule, "http://httpbin.example.com/ip")).code == 0

    async def test_redirects(self, run: Any, server: TestServer) -> None:
        url = server.make_url("/redirect/2")
        assert (await run("-s", "-o/dev/null", "-w", "%{http_code}", url)).out == "302"
        ran = await run(
            "-sL", "-w", "%{http_code} %{num_redirects} %{url_effective}", "-o", "/dev/null", url
        )
        assert ran.out == f"200 2 {server.make_url('/get')}"
        ran = await run("-sSL", "--max-redirs", "1", url)
        assert (ran.code, ran.err) == (47, "curl: (47) Maximum (1) redirects followed\n")

    async def test_a_post_becomes_a_get_after_302(self, run: Any, server: TestServer) -> None:
        ran = await run("-sL", "-d", "x=1", server.make_url("/redirect-to?url=/anything"))
        assert json.loads(ran.out)["method"] == "GET"
        ran = await run(
            "-sL", "-d", "x=1", server.make_url("/redirect-to?url=/anything&status_code=307")
        )
        assert (json.loads(ran.out)["method"], json.loads(ran.out)["form"]) == (
            "POST",
            {"x": ["1"]},
        )


class TestOutput:
    async def test_include_and_head(self, run: Any, server: TestServer) -> None:
        ran = await run("-si", server.make_url("/status/418"))
        head, _, body = ran.out.replace("\r\n", "\n").partition("\n\n")
        assert head.startswith("HTTP/1.1 418 I'm a Teapot\n")
        assert "x-more-info: " in head.lower()
        assert body == "I'm a teapot!"
        ran = await run("-sI", server.make_url("/get"))
        assert ran.out.startswith("HTTP/1.1 200 OK")
        assert "args" not in ran.out

    async def test_verbose(self, run: Any, server: TestServer) -> None:
        ran = await run("-sv", "-o/dev/null", server.make_url("/get"))
        assert "> GET /get HTTP/1.1\n" in ran.err
        assert f"> Host: 127.0.0.1:{server.port}\n" in ran.err
        assert "< HTTP/1.1 200 OK\n" in ran.err
        assert f"* Connected to 127.0.0.1 (127.0.0.1) port {server.port}\n" in ran.err

    async def test_files(self, run: Any, server: TestServer, tmp_path: Path) -> None:
        ran = await run(
            "-s", "-o", tmp_path / "body", "-D", tmp_path / "head", server.make_url("/json")
        )
        assert ran.out == ""
        assert "slideshow" in json.loads((tmp_path / "body").read_text())
        assert (tmp_path / "head").read_bytes().startswith(b"HTTP/1.1 200 OK\r\n")
        ran = await run("-sS", "-o", tmp_path / "no" / "such", server.make_url("/json"))
        assert (ran.code, "(23)" in ran.err) == (23, True)

    async def test_write_out(self, run: Any, server: TestServer) -> None:
        template = (
            r"%{http_code} %{size_download} %{content_type} %header{x-more-info} 100%%\n%{unknown}"
        )
        ran = await run("-s", "-o/dev/null", "-w", template, server.make_url("/status/418"))
        assert (
            ran.out == "418 13 text/plain; charset=utf-8 http://tools.ietf.org/html/rfc2324 100%\n"
        )

    async def test_several_urls(self, run: Any, server: TestServer) -> None:
        ran = await run(
            "-s",
            "-o/dev/null",
            "-w",
            "%{http_code};",
            *(server.make_url(f"/status/{c}") for c in (200, 503)),
        )
        assert ran.out == "200;503;"


class TestFailures:
    async def test_refused(self, run: Any, unused_tcp_port: int) -> None:
        ran = await run(f"http://127.0.0.1:{unused_tcp_port}/")
        assert ran.code == 7
        assert ran.err.startswith(
            f"curl: (7) Failed to connect to 127.0.0.1 port {unused_tcp_port} after "
        )
        assert ran.err.endswith(" ms: Could not connect to server\n")
        silent = await run(
            "-s", "-w", "%{http_code} %{exitcode}", f"http://127.0.0.1:{unused_tcp_port}/"
        )
        assert (silent.out, silent.err) == ("000 7", "")

    async def test_http_errors(self, run: Any, server: TestServer) -> None:
        ran = await run("-sSf", server.make_url("/status/418"))
        assert (ran.code, ran.out, ran.err) == (
            22,
            "",
            "curl: (22) The requested URL returned error: 418\n",
        )
        ran = await run("-s", "--fail-with-body", server.make_url("/status/418"))
        assert (ran.code, ran.out) == (22, "I'm a teapot!")

    async def test_too_slow(self, run: Any, server: TestServer) -> None:
        ran = await run("-sS", "-m", "0.1", server.make_url("/delay/5"))
        assert ran.code == 28
        assert ran.err.startswith("curl: (28) Operation timed out after 1")

    @pytest.mark.parametrize(
        ("reply", "code"),
        [(b"", 52), (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", 18), (None, 56)],
    )
    async def test_broken_answers(self, run: Any, reply: bytes | None, code: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if reply is None:  # a reset, as a plaintext caller gets from a STRICT sidecar
                sock = writer.get_extra_info("socket")
                sock.setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER, 0 s
            else:
                writer.write(reply)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ran = await run("-sS", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        server.close()
        assert ran.code == code
        assert ran.err.startswith(f"curl: ({code}) ")

    async def test_no_such_host(self, run: Any) -> None:
        ran = await run("http://no-such-host.invalid/")
        assert (ran.code, ran.err) == (
            6,
            "curl: (6) Could not resolve host: no-such-host.invalid\n",
        )

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            ([], 2, "no URL specified"),
            (["--frobnicate", "u"], 2, "option --frobnicate: is unknown"),
            (["-Z"], 2, "option -Z: is unknown"),
            (["-o"], 2, "option --output: requires parameter"),
            (["-m", "x", "u"], 2, "expected a proper numerical parameter"),
            (["ftp://x/"], 1, 'Protocol "ftp" not supported'),
            (["http:///x"], 3, "No host part in the URL"),
        ],
    )
    async def test_misuse(self, run: Any, words: list[str], code: int, message: str) -> None:
        ran = await run(*words)
        assert (ran.code, message in ran.err) == (code, True)


class TestProxy:
    async def test_by_authority(
        self, run: Any, backend: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy = await backend({"ok": True})
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        ran = await run("-s", "http://httpbin:8000/get?a=1")
        assert json.loads(ran.out) == {"ok": True}
        assert [str(request.url) for request in proxy.requests] == ["http://httpbin:8000/get?a=1"]
        assert proxy.requests[0].headers["Host"] == "httpbin:8000"

    async def test_no_proxy(
        self, run: Any, server: TestServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert (await run("-s", server.make_url("/ip"))).code == 7
        assert (await run("-s", "--noproxy", "*", server.make_url("/ip"))).code == 0

    async def test_a_tunnel_that_is_refused(self, run: Any, backend: Any) -> None:
        proxy = await backend({})
        ran = await run("-sS", "-x", f"127.0.0.1:{proxy.port}", "https://example.com/")
        assert (ran.code, "CONNECT tunnel failed, response 404" in ran.err) == (56, True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + private)
    return path


class TestTls:
    async def test_https(self, run: Any, certificate: Path) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server = TestServer(httpbin.application(), host="127.0.0.1", scheme="https")
        await server.start_server(ssl=context)
        url = server.make_url("/get")
        ran = await run("-sS", url)
        assert (ran.code, ran.err) == (
            60,
            "curl: (60) SSL certificate problem: self-signed certificate\n",
        )
        assert (await run("-sk", url)).code == 0
        ran = await run("-sv", "--cacert", certificate, "-w", "%{time_appconnect}", url)
        assert ran.code == 0
        assert "* SSL connection using TLSv1.3 / " in ran.err
        assert "subject: commonName=test server" in ran.err
        await server.close()


class TestOptions:
    def test_letters_share_a_dash(self) -> None:
        asked = options.parse(["-sSLko/dev/null", "-XPOST", "-w%{http_code}", "u"])
        assert (asked.silent, asked.show_error, asked.follow, asked.insecure) == (True,) * 4
        assert (asked.output, asked.method, asked.write_out, asked.urls) == (
            "/dev/null",
            "POST",
            "%{http_code}",
            ["u"],
        )
        assert not asked.quiet

    def test_negation(self) -> None:
        assert options.parse(["-s", "--no-silent"]).silent is False

    def test_missing_file(self) -> None:
        with pytest.raises(UsageError, match="Failed to open"):
            options.parse(["-d", "@/no/such/file"])

    def test_remote_name(self) -> None:
        assert options.remote_name("http://x/a/b.txt?q") == "b.txt"

    def test_help_names_every_documented_option(self) -> None:
        letters = {f"-{letter}," for letter in "dfGHiIkLmosuvwxX"}
        assert letters <= set(report.HELP.split())
        assert transfer.AGENT.startswith("curl/")

    def test_time_left(self) -> None:
        asked = options.Options(max_time=0.001, connect_timeout=5)
        times = wire.Times(start=wire.Times().start - 1)
        with pytest.raises(TimeoutError):
            wire.timeout(asked, times)
        assert wire.timeout(options.Options(), times) is None


class TestWget:
    async def test_to_standard_output(self, run: Any, server: TestServer) -> None:
        ran = await run(
            "-qO-", "--header", "x-a: 1", server.make_url("/headers"), program=wget.main
        )
        assert json.loads(ran.out)["headers"]["X-A"] == ["1"]

    async def test_errors_are_1(self, run: Any, server: TestServer) -> None:
        assert (
            await run("-q", "-O", "-", server.make_url("/status/503"), program=wget.main)
        ).code == 1

    def test_arguments(self) -> None:
        assert wget.arguments(["-q", "http://x/f.txt"]) == [
            "-L",
            "-f",
            "-s",
            "-o",
            "f.txt",
            "http://x/f.txt",
        ]
        assert wget.arguments(["-qT5", "--spider", "u"]) == [
            "-L",
            "-f",
            "-s",
            "-m",
            "5",
            "-I",
            "-o/dev/null",
            "u",
        ]
        for words in (["--mirror", "u"], [], ["-O"]):
            with pytest.raises(ValueError):
                wget.arguments(words)
