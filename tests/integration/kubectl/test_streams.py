"""logs, exec, cp, attach and port-forward with the real kubectl, over WebSocket and over SPDY."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys

import pytest

from tests.integration.kubectl.conftest import Kubectl, eventually, rows

pytestmark = pytest.mark.kubectl

#: What makes kubectl 1.30+ use SPDY, as older ones do.
_SPDY = {
    "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false",
    "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false",
}


@pytest.fixture(params=["websocket", "spdy"])
def wire(request: pytest.FixtureRequest, kubectl: Kubectl) -> Kubectl:
    """A namespace with one pod ``box`` (a shell that lives), and kubectl with one of the wire protocols."""
    kubectl("run", "box", "--image=busybox", "--", "sh", "-c", "echo up; exec sleep 600")
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    if request.param == "spdy":
        kubectl.environment = dict(_SPDY)
    return kubectl


def test_exec_streams_and_exit_code(wire: Kubectl) -> None:
    result = wire.run("exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (result.out, result.code) == ("out\n", 3)
    assert result.err == "err\ncommand terminated with exit code 3\n"


def test_exec_reads_standard_input(wire: Kubectl) -> None:
    text = "".join(f"line {number}\n" for number in range(5000))
    assert wire("exec", "-i", "box", "--", "cat", stdin=text) == text


def test_exec_without_such_a_program(wire: Kubectl) -> None:
    refused = wire.fails("exec", "box", "--", "no-such-program")
    assert 'exec: "no-such-program": executable file not found in $PATH: unknown' in refused
    assert refused.startswith("error: Internal error occurred: ")


def test_exec_on_a_terminal(wire: Kubectl) -> None:
    """kubectl asks for a TTY only if it has one itself."""
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            *wire.command("exec", "-it", "box", "--", "sh", "-c", "tty; exit 5"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        env=wire.env(),
        check=False,
    )
    assert re.search(r"/dev/pts/\d+", done.stdout)
    assert done.returncode == 5


def test_copy_both_ways(wire: Kubectl) -> None:
    content = bytes(range(256)) * 4096
    (wire.folder / "there").write_bytes(content)
    wire("cp", "there", "box:copied")
    assert wire("exec", "box", "--", "wc", "-c", "copied").split()[0] == str(len(content))
    wire("cp", "box:copied", "back")
    assert (wire.folder / "back").read_bytes() == content


def test_run_attaches_to_what_it_starts(wire: Kubectl) -> None:
    result = wire.run(
        "run", "-i", "--rm", "once", "--image=busybox", "--restart=Never", "--", "cat", stdin="hi\n"
    )
    assert result.code == 0
    assert result.out.startswith("hi\n")
    assert 'pod "once" deleted' in result.out


def test_port_forward(wire: Kubectl) -> None:
    wire("run", "srv", "--image=mccutchen/go-httpbin", "--port=8080")
    wire("wait", "--for=condition=Ready", "pod/srv", "--timeout=30s")
    wire("expose", "pod", "srv", "--port=80", "--target-port=8080")
    for target in ("pod/srv", "svc/srv"):
        port = "80" if target.startswith("svc") else "8080"
        forwarding = wire.start("port-forward", target, f":{port}")
        try:
            assert forwarding.stdout is not None
            match = re.match(
                r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080", forwarding.stdout.readline()
            )
            assert match
            for size in (10, 200_000):
                connection = http.client.HTTPConnection("127.0.0.1", int(match[1]), timeout=10)
                connection.request("GET", f"/bytes/{size}")
                response = connection.getresponse()
                assert (response.status, len(response.read())) == (200, min(size, 100 * 1024))
                connection.close()
        finally:
            forwarding.terminate()
            forwarding.communicate(timeout=10)


def test_port_forward_to_nothing(wire: Kubectl) -> None:
    forwarding = wire.start("port-forward", "pod/box", ":9999")
    assert forwarding.stdout is not None
    match = re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
    assert match
    connection = http.client.HTTPConnection("127.0.0.1", int(match[1]), timeout=10)
    connection.request("GET", "/")
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        connection.getresponse()
    connection.close()
    said, _ = forwarding.communicate(timeout=10)
    assert "connect: connection refused" in said


def test_logs_follow_tail_and_timestamps(kubectl: Kubectl) -> None:
    kubectl("run", "talk", "--image=busybox", "--restart=Never", "--", "sh", "-c", _TALK)
    kubectl("wait", "--for=condition=Ready", "pod/talk", "--timeout=30s")
    following = kubectl.start("logs", "-f", "talk")
    assert following.stdout is not None
    assert following.stdout.readline() == "line 1\n"
    said, _ = following.communicate(timeout=30)
    assert said.splitlines()[-1] == "line 5"
    assert kubectl("logs", "talk", "--tail=2") == "line 4\nline 5\n"
    stamped = kubectl("logs", "talk", "--timestamps", "--tail=1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 5\n", stamped)
    assert kubectl("logs", "talk", "--limit-bytes=4") == "line"


_TALK = "for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done"


def test_logs_of_the_previous_life(kubectl: Kubectl) -> None:
    kubectl("run", "again", "--image=busybox", "--", "sh", "-c", "echo once; sleep 0.2; exit 1")
    eventually(lambda: rows(kubectl("get", "pods"))[0][3] != "0", "it was restarted")
    assert kubectl("logs", "again", "--previous") == "once\n"


def test_logs_name_the_choice_of_containers(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=_TWO)
    kubectl("wait", "--for=condition=Ready", "pod/two", "--timeout=30s")
    assert "Defaulted container" in kubectl.run("logs", "two").err
    assert kubectl("logs", "two", "-c", "b") == "from b\n"
    assert (
        kubectl.fails("logs", "two", "-c", "c") == "error: container c is not valid for pod two\n"
    )
    both = kubectl("logs", "two", "--all-containers", "--prefix")
    assert sorted(both.splitlines()) == [
        "[pod/two/a] from a",
        "[pod/two/b] from b",
    ]


_TWO = """\
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  containers:
  - {name: a, image: busybox, command: [sh, -c, echo from a; exec sleep 600]}
  - {name: b, image: busybox, command: [sh, -c, echo from b; exec sleep 600]}
"""
