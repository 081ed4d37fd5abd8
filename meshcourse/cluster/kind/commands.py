"""Running the engine and kind, and what their failures mean to a learner.

Sources: kind's "Known Issues", and what docker, podman, nerdctl and kind print in these cases.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from meshcourse.cluster.errors import ClusterError

#: The first port of this machine that leads into the cluster.
PORTS_VARIABLE = "MESHCOURSE_KIND_PORTS"
#: The node image, instead of the pinned one: from a mirror, or one that was loaded.
IMAGE_VARIABLE = "MESHCOURSE_KIND_IMAGE"


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended: what it answered (stdout), what it said meanwhile (stderr)."""

    command: tuple[str, ...]
    code: int
    out: str
    err: str

    def check(self, doing: str) -> Done:
        """Itself.

        :param doing: what it was to do, for the message: ``creating the cluster``.
        :raises ClusterError: if the exit code is not 0, with the remedy that fits what was said.
        """
        if self.code:
            raise failure(doing, self)
        return self


def run(
    *command: str,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    on_line: Callable[[str], None] | None = None,
) -> Done:
    """Run a program to its end.

    :param on_line: called with each line: docker says on stdout what it is doing, podman and kind on stderr.
    :raises ClusterError: if there is no such program, or it has not ended after `timeout` seconds.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise ClusterError(f"{command[0]} cannot be run: {error.strerror}") from error
    with process:
        return _converse(process, command, timeout, on_line)


def _converse(
    process: subprocess.Popen[str],
    command: tuple[str, ...],
    timeout: float,
    on_line: Callable[[str], None] | None,
) -> Done:
    assert process.stderr is not None
    assert process.stdout is not None
    said: list[str] = []
    listener = threading.Thread(target=_listen, args=(process.stderr, said, on_line))
    late = threading.Timer(timeout, process.kill)
    listener.start()
    late.start()
    try:
        out: list[str] = []
        _listen(process.stdout, out, on_line)
        code = process.wait()
    except BaseException:
        process.terminate()  # an interrupted cell must not leave the program behind
        raise
    finally:
        expired = not late.is_alive()
        late.cancel()
        listener.join()
    if expired and code < 0:
        raise ClusterError(
            f"`{' '.join(command[:3])}` did not end within {timeout:.0f} s",
            remedy="".join([*said, *out][-3:]).strip() or "The container engine hangs: restart it.",
        )
    return Done(command, code, "".join(out), "".join(said))


def _listen(stream: IO[str], said: list[str], on_line: Callable[[str], None] | None) -> None:
    for line in stream:
        said.append(line)
        if on_line is not None and line.strip():
            on_line(line.strip())


def failure(doing: str, done: Done) -> ClusterError:
    """The error that a failed command stands for: in its own last words, with a remedy if they are known."""
    text = (done.err + done.out).strip()
    for pattern, remedy in _REMEDIES:
        if found := re.search(pattern, text):
            line = _line(text, found.start())
            return ClusterError(f"{doing} failed: {line}", remedy=remedy)
    words = "\n".join(text.splitlines()[-4:]) or f"exit code {done.code}"
    return ClusterError(f"{doing} failed: {words}", remedy=f"`{' '.join(done.command)}` by hand.")


def _line(text: str, at: int) -> str:
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    return text[start : end if end >= 0 else len(text)].strip()


#: What a program says → what to do about it; the first that matches counts.
_REMEDIES: Sequence[tuple[str, str]] = (
    (
        r"permission denied.*(docker|podman|containerd|nerdctl)",
        "You may not use the engine: `sudo usermod -aG docker $USER` and log in again, or use rootless podman.",
    ),
    (
        r"(?i)cannot connect to|failed to connect to the docker API|is the docker daemon running"
        r"|cannot access containerd socket|unable to connect to Podman",
        "Start the engine: Docker Desktop, `sudo systemctl start docker`, or `podman machine start`.",
    ),
    (
        r"port is already allocated|address already in use|ports are not available",
        f"Another program has the port. Choose other ones: {PORTS_VARIABLE}=31000 is the first of them.",
    ),
    (
        r"no space left on device",
        "The engine's disk is full: `docker system prune` frees what no container uses.",
    ),
    (
        r"toomanyrequests|pull rate limit",
        f"The registry refuses for now: `docker login`, or set {IMAGE_VARIABLE} to the image on a mirror.",
    ),
    (
        r"failed to pull image|(?i:error response from daemon: (get|head|manifest|pull))"
        r"|manifest unknown|TLS handshake timeout|no such host|i/o timeout",
        f"Is there a network? Behind a mirror set {IMAGE_VARIABLE}; without a network load the image from a file: "
        "`docker load -i FILE`.",
    ),
    (
        r"too many open files",
        "`sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288`, then once more.",
    ),
    (
        r"rootless provider requires",
        "Rootless engines need cgroup v2 with delegation: https://kind.sigs.k8s.io/docs/user/rootless/",
    ),
    (
        r"could not find a log line that matches",
        "The node image does not start on this system (cgroup v1, or an old kernel): update the engine, or try "
        "MESHCOURSE_KUBERNETES=1.34.",
    ),
    (
        r"failed to init node with kubeadm|kubelet is not (running|healthy)",
        "Mostly too little memory: give the engine more, close something, then once more.",
    ),
)
