"""istioctl from a release: right, corrupted, truncated, another's sum, no network, a cache that cannot be written."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from meshcourse import versions
from meshcourse.cluster import progress
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.release import istioctl, newest, wanted

VERSION = "1.30.4"
NAME = istioctl.archive_name(VERSION, "Linux", "x86_64")


def program(version: str = VERSION) -> bytes:
    """A stand-in that says which version it is, and leaves a mark whenever it is executed."""
    text = (
        f"#!{sys.executable}\nimport json, os, pathlib\n"
        "pathlib.Path(os.environ['RAN']).touch()\n"
        f"print(json.dumps({{'clientVersion': {{'version': '{version}'}}}}))\n"
    )
    return text.encode()


def archive(body: bytes, name: str = "istioctl") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(body), 0o755
        file.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


class Releases:
    """A mirror on loopback: path → body; `cut` announces more bytes than it sends."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut = 0
        self.asked: list[str] = []
        releases = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                releases.asked.append(self.path)
                body = releases.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                short = releases.cut if not self.path.endswith(".sha256") else 0
                self.wfile.write(body[: len(body) - short])

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def publish(self, data: bytes, checksum: str = "") -> None:
        path = f"/{VERSION}/{NAME}"
        self.files[path] = data
        found = checksum or hashlib.sha256(data).hexdigest()
        self.files[f"{path}.sha256"] = f"{found}  {NAME}\n".encode()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    found = Releases()
    for name in ("PROGRAM", "ARCHIVE", "SUM"):
        monkeypatch.delenv(getattr(istioctl, f"{name}_VARIABLE"), raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv(istioctl.MIRROR_VARIABLE, found.url)
    monkeypatch.setattr(istioctl.platform, "system", lambda: "Linux")
    monkeypatch.setattr(istioctl.platform, "machine", lambda: "x86_64")
    try:
        yield found
    finally:
        found.close()


def find() -> Path:
    return istioctl.find(progress.silent(), VERSION)


def left(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def refused(tmp_path: Path) -> str:
    """The error; nothing was kept and nothing executed."""
    with pytest.raises(ClusterError) as caught:
        find()
    assert left(tmp_path) == []
    assert not (tmp_path / "ran").exists()
    return str(caught.value)


def test_the_release_is_fetched_once(releases: Releases, tmp_path: Path) -> None:
    releases.publish(archive(program()))
    found = find()
    assert found.read_bytes() == program()
    assert os.access(found, os.X_OK)
    asked = list(releases.asked)
    assert find() == found
    assert releases.asked == asked
    assert left(tmp_path) == [found]


def test_the_right_version_on_path_is_taken(releases: Releases, tmp_path: Path) -> None:
    put(tmp_path / "bin" / "istioctl", program())
    assert find() == tmp_path / "bin" / "istioctl"
    assert releases.asked == []


def test_another_version_on_path_is_not(releases: Releases, tmp_path: Path) -> None:
    put(tmp_path / "bin" / "istioctl", program("1.17.1"))
    releases.publish(archive(program()))
    assert find() == tmp_path / "cache" / "meshcourse" / "istio" / VERSION / "istioctl"


def put(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    path.chmod(0o755)


def test_corrupted(releases: Releases, tmp_path: Path) -> None:
    good = archive(program())
    releases.publish(good[:-1] + b"x", hashlib.sha256(good).hexdigest())
    assert "is not what was published: SHA-256" in refused(tmp_path)


def test_truncated(releases: Releases, tmp_path: Path) -> None:
    releases.publish(archive(program()))
    releases.cut = 10
    assert "ended after" in refused(tmp_path)


def test_wrong_checksum_by_variable(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.publish(archive(program()))
    monkeypatch.setenv(istioctl.SUM_VARIABLE, "0" * 64)
    assert f"expected {'0' * 64}" in refused(tmp_path)


def test_no_checksum_published(releases: Releases, tmp_path: Path) -> None:
    releases.publish(archive(program()))
    releases.files[f"/{VERSION}/{NAME}.sha256"] = b"<html>not found</html>"
    assert "holds no SHA-256 sum" in refused(tmp_path)


def test_not_there(releases: Releases, tmp_path: Path) -> None:
    assert "HTTP 404" in refused(tmp_path)


def test_no_network(releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(istioctl.MIRROR_VARIABLE, "http://127.0.0.1:1")
    text = refused(tmp_path)
    assert "cannot be fetched" in text
    assert istioctl.ARCHIVE_VARIABLE in text


def test_an_archive_on_this_machine(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = archive(program())
    put(tmp_path / "offline.tar.gz", data)
    (tmp_path / "offline.tar.gz.sha256").write_text(hashlib.sha256(data).hexdigest())
    monkeypatch.setenv(istioctl.ARCHIVE_VARIABLE, str(tmp_path / "offline.tar.gz"))
    assert find().read_bytes() == program()
    assert releases.asked == []


def test_a_cache_that_cannot_be_written(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.publish(archive(program()))
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(ClusterError, match="cannot be written") as caught:
        find()
    assert "XDG_CACHE_HOME" in caught.value.remedy
    assert releases.asked == []


def test_a_read_only_cache(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    releases.publish(archive(program()))
    monkeypatch.setattr(istioctl.tempfile, "TemporaryFile", refuse)
    assert "Read-only file system" in refused(tmp_path)
    assert releases.asked == []


def test_an_archive_of_another_version(releases: Releases, tmp_path: Path) -> None:
    releases.publish(archive(program("1.29.0")))
    with pytest.raises(ClusterError, match=r"holds istioctl 1\.29\.0, not 1\.30\.4"):
        find()
    assert left(tmp_path) == []


def test_an_archive_without_istioctl(releases: Releases, tmp_path: Path) -> None:
    releases.publish(archive(program(), "../../evil"))
    assert "holds no istioctl" in refused(tmp_path)


def test_no_archive_at_all(releases: Releases, tmp_path: Path) -> None:
    releases.publish(b"hello")
    assert "is no archive" in refused(tmp_path)


def test_a_chosen_program_of_the_wrong_version(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "mine", program("1.20.0"))
    monkeypatch.setenv(istioctl.PROGRAM_VARIABLE, str(tmp_path / "mine"))
    with pytest.raises(ClusterError, match=r"names istioctl 1\.20\.0; this course teaches"):
        find()


def test_systems_without_an_archive() -> None:
    with pytest.raises(ClusterError, match="publishes no istioctl for Linux on riscv64"):
        istioctl.archive_name(VERSION, "Linux", "riscv64")
    assert istioctl.archive_name(VERSION, "Darwin", "arm64") == "istioctl-1.30.4-osx-arm64.tar.gz"


def test_the_version_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(newest.VARIABLE, raising=False)
    assert wanted() == versions.ISTIO
    monkeypatch.setenv(newest.VARIABLE, "1.29.6")
    assert wanted() == "1.29.6"
    monkeypatch.setenv(newest.VARIABLE, "latest")
    with pytest.raises(ClusterError, match="MESHCOURSE_ISTIO=latest is no version") as caught:
        wanted()
    assert "`newest`" in caught.value.remedy


def test_the_newest_is_the_highest_that_is_final(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patch of an older line may be the latest by date; a pre-release may be the highest."""
    listed = [
        {"tag_name": "1.29.7"},
        {"tag_name": "1.31.0", "prerelease": True},
        {"tag_name": "1.31.1-rc.0"},
        {"tag_name": "1.30.10"},
        {"tag_name": "1.30.9"},
        {"tag_name": "1.32.0", "draft": True},
    ]
    releases.files["/list"] = json.dumps(listed).encode()
    monkeypatch.setenv(newest.LIST_VARIABLE, f"{releases.url}/list")
    monkeypatch.setenv(newest.VARIABLE, "newest")
    assert wanted() == "1.30.10"
    for text, said in ((b"[]", "lists no release"), (b"<html>", "is no list of releases")):
        releases.files["/list"] = text
        with pytest.raises(ClusterError, match=said):
            wanted()
