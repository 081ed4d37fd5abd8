"""A kind cluster is created, attached to, resumed, made anew and removed; and what is said when a tool fails."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from meshcourse.cli import clusters
from meshcourse.cluster import components, providers, waiting
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ClusterError, WaitError
from meshcourse.cluster.kind import Kind, commands, configuration, engines, names, provider
from meshcourse.cluster.release import newest
from tests.unit.cluster.kind.conftest import Machine

PULL = """Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup \
registry-1.docker.io: no such host
"""
WEBHOOK = """Error: failed to install manifests: errors occurred during operation: failed calling webhook \
"rev.validation.istio.io": failed to call webhook: Post "https://istiod.istio-system.svc:443/validate?timeout=10s": \
context deadline exceeded
"""
PORT = """ERROR: failed to create cluster: command "docker run" failed with error: exit status 125
Command Output: docker: Error response from daemon: driver failed programming external connectivity on endpoint \
meshcourse-control-plane: Bind for 127.0.0.1:30000 failed: port is already allocated
"""


def refused(machine: Machine) -> str:
    """The error that a user sees; no node was left without a mark of it."""
    with pytest.raises(ClusterError) as caught:
        machine.up()
    return str(caught.value)


def test_it_is_created(machine: Machine) -> None:
    found = machine.up()
    assert found.running()
    (node,) = machine.containers.values()
    config = yaml.safe_load(node["config"])
    assert config["nodes"][0]["image"] == configuration.IMAGES["1.35"]
    assert machine.log.count(f"docker pull {configuration.IMAGES['1.35']}") == 1
    assert stat.S_IMODE(found.kubeconfig().stat().st_mode) == 0o600
    assert any("node image kindest/node:v1.35.0" in line for line in machine.said)
    assert any(line.startswith("✓ Kubernetes ready") for line in machine.said)
    status = found.status()
    assert (status["version"], status["ports"]) == ("v1.35.0", [30000, 30031])
    assert status["url"].startswith("http")


def test_the_users_kubeconfig_is_not_touched(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mine"))
    found = machine.up()
    assert not (tmp_path / "mine").exists()
    create = next(line for line in machine.log if line.startswith("kind create"))
    assert str(found.kubeconfig().parent) in create.partition("--kubeconfig")[2]


def test_starting_again_is_attaching(machine: Machine) -> None:
    machine.up()
    assert "Pulling fs layer" in machine.lives
    before = machine.ran("kind create"), machine.ran("docker pull")
    machine.up()
    assert (machine.ran("kind create"), machine.ran("docker pull")) == before == (1, 1)


def test_an_image_that_is_there_is_not_pulled(machine: Machine) -> None:
    machine.write("image", "")
    machine.up()
    assert machine.ran("docker pull") == 0


def test_a_stopped_node_is_started(machine: Machine) -> None:
    """After a restart of the machine: the API server is gone until the container runs."""
    found = machine.up()
    machine.set_state("exited")
    found.kubeconfig().unlink()
    again = machine.up()
    assert machine.ran("docker start meshcourse-control-plane") == 1
    assert machine.ran("kind create") == 1
    assert again.running()


def test_interrupted_half_way_it_is_made_anew(machine: Machine, tmp_path: Path) -> None:
    """The first `up` is killed while kind works; the second one removes what is half made."""
    machine.write("hang", "")
    script = "from meshcourse.cluster.kind import Kind; from meshcourse.cluster import progress; "
    script += "from meshcourse.cluster.kind import fitness; fitness.demand = lambda found: None; "
    script += "Kind().start(progress.silent())"
    first = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    waiting.met((machine.root / "hanging").exists, 60)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert machine.containers
    (machine.root / "hang").unlink()
    found = machine.up()
    assert found.running()
    assert any(
        "was interrupted while it was made; it is made anew" in line for line in machine.said
    )
    assert machine.ran("kind delete cluster") == 1
    assert machine.ran("docker pull") == 1  # what had arrived is not fetched again


def test_an_interrupted_wait_goes_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(provider, "_nodes", interrupt)
        with pytest.raises(KeyboardInterrupt):
            machine.up()
    machine.up()
    assert machine.ran("kind create") == 1


def test_a_cluster_of_somebody_else_is_left_alone(machine: Machine) -> None:
    machine.write(
        "containers.json", '{"theirs": {"cluster": "meshcourse", "state": "running", "config": ""}}'
    )
    text = refused(machine)
    assert 'a kind cluster called "meshcourse" that this course did not make' in text
    assert "MESHCOURSE_NAME=other" in text
    assert machine.containers


def test_down_removes_it(machine: Machine) -> None:
    found = machine.up()
    found.stop(machine.progress)
    assert machine.containers == {}
    assert not found.running()
    assert not found.kubeconfig().parent.exists()
    found.stop(machine.progress)  # once more is fine
    assert machine.ran("kind delete") == 1


def test_down_all_finds_it(machine: Machine) -> None:
    machine.up()
    clusters.down("", everything=True, delete=True)
    assert machine.containers == {}
    assert names() == []


def test_a_pull_that_fails(machine: Machine) -> None:
    machine.fail("docker pull", PULL)
    text = refused(machine)
    assert "pulling kindest/node:v1.35.0 failed: Error response from daemon: Get" in text
    assert "no such host" in text
    assert commands.IMAGE_VARIABLE in text
    assert "docker load -i FILE" in text
    assert machine.ran("kind create") == 0
    machine.mend("docker pull")
    assert machine.up().running()


def test_a_pull_that_is_rationed(machine: Machine) -> None:
    machine.fail("docker pull", "toomanyrequests: You have reached your pull rate limit.\n")
    assert "docker login" in refused(machine)


def test_a_pull_that_hangs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = machine.bin / "docker"
    sleeper.write_text(
        f"#!{sys.executable} -IS\nimport sys, time\nsys.stderr.write('Pulling fs layer\\n')\n"
        "sys.stderr.flush()\ntime.sleep(60)\n"
    )
    started = time.monotonic()
    with pytest.raises(ClusterError, match=r"did not end within 1 s") as caught:
        commands.run(str(sleeper), "pull", "x", timeout=1.0)
    assert caught.value.remedy == "Pulling fs layer"
    assert time.monotonic() - started < 30


def test_a_port_that_got_busy_meanwhile(machine: Machine) -> None:
    machine.fail("kind create", PORT)
    text = refused(machine)
    assert "Bind for 127.0.0.1:30000 failed: port is already allocated" in text
    assert f"{commands.PORTS_VARIABLE}=31000" in text
    machine.mend("kind create")
    assert machine.up().running()


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("ERROR: failed to create cluster: could not find a log line that matches", "MESHCOURSE_KUBERNETES"),
        ("E1 server.go] inotify_init: too many open files", "fs.inotify.max_user_instances=512"),
        ("write /var/lib/docker/x: no space left on device", "docker system prune"),
        ("ERROR: running kind with rootless provider requires cgroup v2", "/docs/user/rootless/"),
        ("ERROR: failed to create cluster: failed to init node with kubeadm", "too little memory"),
        ("ERROR: something new", "kind create cluster"),
    ],
)  # fmt: skip
def test_other_failures_of_creating(machine: Machine, said: str, remedy: str) -> None:
    machine.fail("kind create", f"Creating cluster ...\n{said}\n")
    text = refused(machine)
    assert said in text
    assert remedy in text


def test_a_stalled_step_says_which_pod_and_why(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing moves: the pod, its container's message and its events are shown, before and at the deadline."""
    monkeypatch.setattr(provider, "_READY", 0.6)
    monkeypatch.setattr(waiting.Pace.__init__, "__defaults__", (120.0, 0.05, 0.2))
    stuck = {
        "image": "x",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
    }
    machine.api.put(
        "/api/v1/namespaces/kube-system/pods/coredns-1",
        spec={"containers": [{"name": "coredns"}]},
        status={"phase": "Pending", "containerStatuses": [{"name": "coredns", **stuck}]},
    )
    machine.api.put(
        "/api/v1/namespaces/kube-system/events/e1",
        type="Warning", reason="FailedScheduling", message="0/1 nodes are available",
        involvedObject={"kind": "Pod", "name": "coredns-1"},
    )  # fmt: skip
    with pytest.raises(WaitError) as caught:
        machine.up()
    text = str(caught.value)
    assert "Kubernetes ready: not done after" in text
    assert "coredns-1 0/1 ImagePullBackOff" in text
    assert "coredns: Back-off pulling image" in text
    assert "FailedScheduling: 0/1 nodes are available" in text
    assert any("nothing has changed for" in line for line in machine.said)


def test_a_node_that_is_not_ready_says_why(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "_READY", 0.2)
    condition = {"type": "Ready", "status": "False", "message": "cni plugin not initialized"}
    machine.api.put("/api/v1/nodes/meshcourse-control-plane", status={"conditions": [condition]})
    assert "node meshcourse-control-plane: cni plugin not initialized" in refused(machine)


def test_another_kubernetes_than_the_image_says(machine: Machine) -> None:
    machine.api.put("/version", gitVersion="v1.29.1")
    text = refused(machine)
    assert (
        "the cluster is Kubernetes v1.29.1, but its image kindest/node:v1.35.0 says v1.35.0" in text
    )


def test_istio_is_installed_by_istioctl(machine: Machine) -> None:
    found = machine.up()
    cluster = Cluster(found, lambda: machine.progress)
    components.ensure(cluster, "istio")
    cluster.close()
    assert machine.ran("istioctl install --set profile=demo -y") == 1
    assert any(line.startswith("✓ Istio ready") for line in machine.said)


def test_a_webhook_that_does_not_answer(machine: Machine) -> None:
    machine.fail("istioctl install", WEBHOOK)
    cluster = Cluster(machine.up(), lambda: machine.progress)
    with pytest.raises(ClusterError) as caught:
        components.ensure(cluster, "istio")
    text = str(caught.value)
    assert "the API server could not call a webhook of Istio" in text
    assert "context deadline exceeded" in text
    assert "kubectl get pods -n istio-system" in text
    machine.mend("istioctl install")
    components.ensure(cluster, "istio")
    cluster.close()


def test_an_installation_that_fails_otherwise(machine: Machine) -> None:
    machine.fail("istioctl install", "Error: unknown profile\n")
    cluster = Cluster(machine.up(), lambda: machine.progress)
    with pytest.raises(ClusterError, match="istioctl install ended with exit code 1") as caught:
        components.ensure(cluster, "istio")
    assert "unknown profile" in caught.value.remedy
    cluster.close()


def test_istioctl_of_another_version_is_not_used(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.write("istio", "1.17.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MESHCOURSE_ISTIO_MIRROR", "http://127.0.0.1:1")
    with pytest.raises(ClusterError, match=r"1\.30\.4/istioctl-1\.30\.4-.*cannot be fetched"):
        machine.up().istioctl()


def test_another_line_of_istio(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write("istio", "1.29.6")
    monkeypatch.setenv(newest.VARIABLE, "1.29.6")
    assert machine.up().istioctl() == [str(machine.bin / "istioctl")]


@pytest.mark.parametrize("name", ["podman", "nerdctl"])
def test_other_engines(machine: Machine, name: str) -> None:
    (machine.bin / "docker").unlink()
    machine.have(name)
    assert machine.up().running()
    assert machine.ran(f"{name} pull") == 1
    assert engines.find().environment == {engines.VARIABLE: name}


def test_the_factory_knows_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(providers.NAME_VARIABLE, raising=False)
    found = providers.choose(cluster="kind")
    assert isinstance(found, Kind)
    assert found.name == "meshcourse"
    assert found.capabilities.owned
    found.consent("anything")
