"""A machine with stand-ins of docker, kind and istioctl on PATH, whose cluster is the fake API."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshcourse import versions
from meshcourse.cluster import progress
from meshcourse.cluster.kind import Kind, commands, configuration, engines, fitness
from meshcourse.cluster.progress import Progress
from meshcourse.cluster.release import istioctl, newest
from tests.unit.cluster import fake_api

STANDIN = Path(__file__).with_name("standin.py")
INFO = {
    "ServerVersion": "28.5.1",
    "MemTotal": 16 * 2**30,
    "Architecture": "x86_64",
    "DockerRootDir": "",
}
PODMAN = {
    "host": {"arch": "amd64", "memTotal": 16 * 2**30},
    "store": {"graphRoot": ""},
    "version": {"Version": "5.6.0"},
}


class Machine:
    """What is installed on it, and how it shall fail."""

    def __init__(self, root: Path, api: fake_api.FakeApi) -> None:
        self.root, self.api, self.bin = root / "standin", api, root / "bin"
        self.root.mkdir()
        self.bin.mkdir()
        self.said: list[str] = []
        self.lives = ""
        self.write("server", yaml.safe_dump(fake_api.config(api.url)))
        self.write("version", "0.31.0")
        self.write("istio", versions.ISTIO)
        self.write("info-docker", json.dumps(INFO))
        self.write("info-nerdctl", json.dumps(INFO))
        self.write("info-podman", json.dumps(PODMAN))
        self.write("install.json", json.dumps(installed()))

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def have(self, *names: str) -> None:
        """Install stand-ins; an interpreter without site packages starts in a fraction of the time."""
        folder = str(STANDIN.parent)
        text = f"#!{sys.executable} -IS\nimport sys\nsys.path.insert(0, {folder!r})\n"
        text += "import standin\nstandin.main()\n"
        for name in names:
            program = self.bin / name
            program.write_text(text)
            program.chmod(0o755)

    def fail(self, words: str, text: str) -> None:
        """Commands that contain the words print this text and end with exit code 1."""
        self.write(f"fail-{words.replace(' ', '_')}", text)

    def mend(self, words: str) -> None:
        (self.root / f"fail-{words.replace(' ', '_')}").unlink()

    @property
    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    def ran(self, words: str) -> int:
        """How many commands began with these words."""
        return sum(line.startswith(words) for line in self.log)

    @property
    def containers(self) -> dict[str, Any]:
        path = self.root / "containers.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def set_state(self, state: str) -> None:
        self.write(
            "containers.json",
            json.dumps({k: v | {"state": state} for k, v in self.containers.items()}),
        )

    @property
    def progress(self) -> Progress:
        return Progress(self)

    def line(self, text: str) -> None:
        self.said.append(text)

    def live(self, text: str) -> None:
        self.lives += text

    def up(self) -> Kind:
        found = Kind()
        found.start(self.progress)
        return found


def installed() -> dict[str, Any]:
    """What istioctl leaves behind: API path → object."""
    root = "/apis/apps/v1/namespaces/istio-system/deployments"
    ready = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    found: dict[str, Any] = {
        f"{root}/{name}": {"spec": {"replicas": 1}, "status": ready}
        for name in ("istiod", "istio-ingressgateway", "istio-egressgateway")
    }
    hooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    found[f"{hooks}/istio-sidecar-injector"] = {
        "webhooks": [{"clientConfig": {"caBundle": "eA=="}}]
    }
    return found


@pytest.fixture
def machine(tmp_path: Path, api: fake_api.FakeApi, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path, api)
    for name in (
        engines.VARIABLE, commands.PORTS_VARIABLE, commands.IMAGE_VARIABLE, configuration.VERSION_VARIABLE,
        istioctl.PROGRAM_VARIABLE, newest.VARIABLE,
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(found.bin))
    monkeypatch.setenv("STANDIN", str(found.root))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(fitness.preflight, "available_memory", lambda: 16000)
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    monkeypatch.setattr(fitness, "_free", lambda _port: True)
    monkeypatch.setattr(fitness, "_inotify", inotify(tmp_path, 512, 524288))
    api.put("/version", gitVersion="v1.35.0")
    ready(api)
    found.have("docker", "kind", "istioctl")
    return found


_inotify, free = fitness._inotify, fitness._free


def inotify(folder: Path, instances: int, watches: int) -> Callable[[], Any]:
    """The machine's limits, as the kernel says them."""
    (folder / "max_user_instances").write_text(f"{instances}\n")
    (folder / "max_user_watches").write_text(f"{watches}\n")
    return lambda: _inotify(folder)


def ready(api: fake_api.FakeApi) -> None:
    """A node and CoreDNS that are as they should be."""
    true = {"conditions": [{"type": "Ready", "status": "True"}]}
    api.put("/api/v1/nodes/meshcourse-control-plane", status=true)
    api.put(
        "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
        spec={"replicas": 1},
        status={"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    )
