"""A cluster for real clients: the daemon with API server, controllers and kubelet, and kubectl beside it."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from meshcourse.embedded.daemon import launcher

NAME = "kubectl-test"
_SECONDS = 40
_NUMBERS = itertools.count(1)

#: A Deployment of two pods that answer HTTP, and its Service.
APP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: mccutchen/go-httpbin:2
        ports: [{containerPort: 8080}]
        env: [{name: GREETING, value: hello}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launcher.Handle]:
    """The running cluster; gone without a trace afterwards."""
    handle = launcher.up(NAME)
    yield handle
    launcher.down(NAME, delete=True)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


@dataclass(slots=True)
class Kubectl:
    """kubectl with its own home, in one namespace. `folder` is where files for it are written."""

    program: str
    kubeconfig: Path
    namespace: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return [
            self.program,
            f"--kubeconfig={self.kubeconfig}",
            f"--namespace={self.namespace}",
            *arguments,
        ]

    def env(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
        return {**kept, "HOME": str(self.folder), **self.environment}

    def run(self, *arguments: str, stdin: str = "") -> Result:
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            cwd=self.folder,
            env=self.env(),
            check=False,
        )
        return Result(done.stdout, done.stderr, done.returncode)

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Standard output of a command that succeeds."""
        result = self.run(*arguments, stdin=stdin)
        assert result.code == 0, f"kubectl {' '.join(arguments)}: {result.out}{result.err}"
        return result.out

    def fails(self, *arguments: str, stdin: str = "") -> str:
        """Standard error of a command that fails."""
        result = self.run(*arguments, stdin=stdin)
        assert result.code != 0, f"kubectl {' '.join(arguments)} succeeded: {result.out}"
        return result.err

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on; the caller ends it."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.env(),
        )

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def value(self, path: str, *of: str) -> str:
        """``get … -o jsonpath``."""
        return self("get", *of, "-o", f"jsonpath={path}")


@pytest.fixture(scope="session")
def program() -> str:
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl on PATH")
    return found


@pytest.fixture
def kubectl(program: str, cluster: launcher.Handle, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl in a namespace of its own, which is deleted afterwards."""
    found = Kubectl(program, cluster.kubeconfig, f"test-{next(_NUMBERS)}", tmp_path)
    assert found("create", "ns", found.namespace) == f"namespace/{found.namespace} created\n"
    yield found
    found("delete", "ns", found.namespace, "--wait=false")


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """A namespace in which `APP` is ready."""
    kubectl.write("app.yaml", APP)
    assert kubectl("apply", "-f", "app.yaml").splitlines() == [
        "deployment.apps/web created",
        "service/web created",
    ]
    rollout(kubectl)
    return kubectl


def rollout(kubectl: Kubectl) -> str:
    """Wait until the Deployment is rolled out; what kubectl said meanwhile."""
    said = kubectl("rollout", "status", "deploy/web", f"--timeout={_SECONDS}s")
    assert said.endswith('deployment "web" successfully rolled out\n')
    return said


def eventually(condition: Callable[[], bool], what: str, seconds: float = _SECONDS) -> None:
    """Wait for a condition with a deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def rows(table: str) -> list[list[str]]:
    """The cells of a printed table, without its header."""
    return [line.split() for line in table.splitlines()[1:]]
