"""Is the machine fit for kind: every failure, with the remedy that a user sees; and the configuration."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from meshcourse.cli import main
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.kind import Kind, commands, configuration, engines, fitness
from tests.unit.cluster.kind.conftest import INFO, Machine, free, inotify

DEAD = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
DENIED = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"


def refused(machine: Machine) -> str:
    with pytest.raises(ClusterError) as caught:
        machine.up()
    assert machine.containers == {}
    return str(caught.value)


def test_a_fit_machine(machine: Machine) -> None:
    found = fitness.examine()
    assert [item.name for item in found if not item.ok] == []
    assert any("docker 28.5.1 answers" in item.seen for item in found)
    assert any(item.seen == "v0.31.0" for item in found)


def test_no_engine(machine: Machine) -> None:
    (machine.bin / "docker").unlink()
    text = refused(machine)
    assert "there is no container engine: docker or podman or nerdctl is not on PATH" in text
    assert "meshcourse up --cluster embedded" in text


def test_an_engine_that_does_not_run(machine: Machine) -> None:
    """docker info answers with JSON and exit code 0 or 1, depending on its age; either way it is an error."""
    machine.write("info-docker", json.dumps({"ServerErrors": [DEAD]}))
    text = refused(machine)
    assert f"asking docker failed: {DEAD}" in text
    assert "sudo systemctl start docker" in text
    machine.fail("docker info", f"{DEAD}\n")
    assert DEAD in refused(machine)


def test_an_engine_that_one_may_not_use(machine: Machine) -> None:
    machine.fail("docker info", f"{DENIED}\n")
    assert "sudo usermod -aG docker $USER" in refused(machine)


def test_the_engine_that_answers_is_taken(machine: Machine) -> None:
    machine.fail("docker info", f"{DEAD}\n")
    machine.have("podman")
    assert engines.find().name == "podman"


def test_the_chosen_engine_is_taken(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.have("podman")
    monkeypatch.setenv(engines.VARIABLE, "podman")
    assert engines.find().name == "podman"
    monkeypatch.setenv(engines.VARIABLE, "nerdctl")
    with pytest.raises(ClusterError, match="nerdctl is not on PATH"):
        engines.find()


def test_no_kind(machine: Machine) -> None:
    (machine.bin / "kind").unlink()
    text = refused(machine)
    assert "kind: not on PATH" in text
    assert "Install kind v0.31.0 or newer: https://kind.sigs.k8s.io" in text


def test_an_old_kind(machine: Machine) -> None:
    machine.write("version", "0.20.0")
    assert "kind: v0.20.0 is too old for the pinned node images" in refused(machine)


def test_a_kind_that_does_not_run(machine: Machine) -> None:
    machine.fail("kind version", "Illegal instruction\n")
    assert "does not run" in refused(machine)


def test_too_little_memory(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "_shares", lambda _engine: False)
    machine.write("info-docker", json.dumps(INFO | {"MemTotal": 2 * 2**30}))
    text = refused(machine)
    assert "engine's memory: 2048 MiB" in text
    assert "give Docker Desktop more" in text


def test_a_full_disk(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.write("info-docker", json.dumps(INFO | {"DockerRootDir": str(tmp_path)}))

    class Usage:
        free = 3 * 2**30

    monkeypatch.setattr(fitness.shutil, "disk_usage", lambda _path: Usage)
    text = refused(machine)
    assert f"engine's disk: 3072 MiB at {tmp_path}" in text
    assert "docker system prune" in text


def test_too_few_inotify_instances(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fitness, "_inotify", inotify(tmp_path, 64, 524288))
    text = refused(machine)
    assert "inotify instances: 64" in text
    assert "sudo sysctl fs.inotify.max_user_instances=512" in text
    monkeypatch.setattr(fitness, "_inotify", inotify(tmp_path, 128, 8192))
    found = [item for item in fitness.examine() if not item.ok]
    assert [(item.mark, item.seen) for item in found] == [("·", "128"), ("·", "8192")]
    assert machine.up().running()


def test_another_processor(machine: Machine) -> None:
    machine.write("info-docker", json.dumps(INFO | {"Architecture": "riscv64"}))
    assert "processor: riscv64" in refused(machine)


def test_a_busy_port(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real socket listens; the message names the port, and the variable helps."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        first = min(port, 65536 - configuration.COUNT)
        monkeypatch.setenv(commands.PORTS_VARIABLE, str(first))
        monkeypatch.setattr(fitness, "_free", lambda number: number != port or free(number))
        text = refused(machine)
    assert f"ports: {port} is in use" in text
    assert f"{commands.PORTS_VARIABLE}=" in text
    assert machine.ran("docker pull") == 0


def test_everything_that_is_wrong_is_said_at_once(machine: Machine) -> None:
    (machine.bin / "kind").unlink()
    machine.fail("docker info", f"{DEAD}\n")
    text = refused(machine)
    assert "kind: not on PATH; container engine: asking docker failed" in text
    assert text.count("→") == 2


def test_doctor_looks_at_it(machine: Machine) -> None:
    (machine.bin / "kind").unlink()
    done = CliRunner().invoke(main.app, ["doctor", "--cluster", "kind"])
    assert done.exit_code == 1
    assert "✗ kind" in done.output
    assert "✓ ports" in done.output
    assert "✓ container engine" in done.output


def test_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    text = configuration.render("kindest/node:v1@sha256:0", 31000)
    found: dict[str, Any] = yaml.safe_load(text)
    assert (found["kind"], found["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    (node,) = found["nodes"]
    assert node["image"] == "kindest/node:v1@sha256:0"
    assert node["extraPortMappings"][0] == {
        "containerPort": 30000, "hostPort": 31000, "listenAddress": "127.0.0.1",
    }  # fmt: skip
    assert node["extraPortMappings"][-1]["hostPort"] == 31031
    patches = [yaml.safe_load(patch) for patch in found["kubeadmConfigPatches"]]
    assert [patch["apiServer"]["extraArgs"] for patch in patches] == [
        {"service-node-port-range": "30000-30031"},
        [{"name": "service-node-port-range", "value": "30000-30031"}],
    ]
    assert configuration.first_of(text) == 31000
    assert configuration.image_of(text) == "kindest/node:v1@sha256:0"


def test_images_are_pinned_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    for line, image in configuration.IMAGES.items():
        assert re.fullmatch(rf"kindest/node:v{line}\.\d+@sha256:[0-9a-f]{{64}}", image)
    monkeypatch.delenv(commands.IMAGE_VARIABLE, raising=False)
    monkeypatch.setenv(configuration.VERSION_VARIABLE, "1.34")
    assert configuration.image() == configuration.IMAGES["1.34"]
    monkeypatch.setenv(configuration.VERSION_VARIABLE, "1.12")
    with pytest.raises(
        ClusterError, match=r"no node image is pinned for Kubernetes 1\.12"
    ) as caught:
        configuration.image()
    assert commands.IMAGE_VARIABLE in caught.value.remedy
    monkeypatch.setenv(commands.IMAGE_VARIABLE, "mine:1")
    assert configuration.image() == "mine:1"


@pytest.mark.parametrize("text", ["http", "80", "65530"])
def test_no_port_to_begin_with(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(commands.PORTS_VARIABLE, text)
    with pytest.raises(ClusterError, match=f"{commands.PORTS_VARIABLE}={text} is no port"):
        configuration.base()


def test_services_are_reached_by_their_node_ports(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(commands.PORTS_VARIABLE, "31000")
    machine.up()
    monkeypatch.delenv(commands.PORTS_VARIABLE)
    found = Kind()  # another process: the mapping is the one that the cluster was made with
    ports = [{"port": 80, "nodePort": 30007}, {"port": 443, "nodePort": 32443}, {"port": 9080}]
    service = {"metadata": {"name": "x"}, "spec": {"ports": ports}}
    assert found.direct(service, 80) == ("127.0.0.1", 31007)
    assert found.direct(service, 443) is None
    assert found.direct(service, 9080) is None


def test_the_ports_of_the_running_cluster_are_not_busy(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = machine.up()
    monkeypatch.setattr(fitness, "_free", lambda _port: False)
    assert all(item.ok for item in found.preflight())
    found.stop(machine.progress)
    assert [item.name for item in found.preflight() if not item.ok] == ["ports"]
