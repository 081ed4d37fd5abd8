from __future__ import annotations

import sys

import pytest

from meshcourse.cluster import tools
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ClusterError
from tests.unit.cluster.conftest import FakeProvider

SCRIPT = """
import os, sys
print("out", sys.argv[1:], flush=True)
print("err", file=sys.stderr)
sys.exit(int(os.environ.get("CODE", "0")))
"""


def test_both_streams_come_as_one_line_by_line() -> None:
    lines: list[str] = []
    done = tools.run([sys.executable, "-c", SCRIPT, "a"], on_line=lines.append)
    assert lines == ["out ['a']", "err"]
    assert done.output == "out ['a']\nerr\n"
    assert done.check() is done


def test_a_failure_carries_code_and_output() -> None:
    done = tools.run([sys.executable, "-c", SCRIPT], name="istioctl", env={"CODE": "3"})
    with pytest.raises(tools.ToolError, match="istioctl ended with exit code 3") as error:
        done.check()
    assert "err" in str(error.value)


def test_input_is_fed() -> None:
    echo = "import sys; print(sys.stdin.read().upper())"
    assert tools.run([sys.executable, "-c", echo], text="abc").output == "ABC\n"


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ClusterError, match="no program no-such-tool"):
        tools.run(["no-such-tool"])


def test_istioctl_is_pointed_at_this_cluster(cluster: Cluster) -> None:
    provider = cluster.provider
    assert isinstance(provider, FakeProvider)
    show = "import os,sys; print(os.environ['KUBECONFIG'], *sys.argv[1:])"
    provider.command = (sys.executable, "-c", show)
    assert cluster.istioctl("version").output == f"{provider.path} version\n"
