"""A hundred pods, each with its Envoy, and two hundred VirtualServices: the growth curve from ten to a hundred."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from meshcourse import course
from meshcourse.cluster import components, progress
from meshcourse.embedded.daemon import launcher
from tests.bench.changing import change_times
from tests.bench.stage import MIB, NAME, Figures, fresh, quantiles

SIZES = (10, 20, 50, 100)
RULES = 200
READY_LIMIT = 300.0
IDLE_SECONDS = 20.0
SERVICES = 10


def scale() -> Figures:
    """10 to 100 pods with an Envoy each and 200 VirtualServices: ready, change to all acknowledged, istiod idle"""
    found: Figures = {}
    with fresh(progress.silent()) as mesh:
        components.ensure(mesh, "istio", progress=progress.silent())
        mesh.kubectl("label", "namespace", "default", "istio-injection=enabled", "--overwrite")
        mesh.apply(_rules()).raise_on_error()
        ready = 0.0
        for size in SIZES:
            ready += _grow(mesh, size)
            found[f"{size} pods, ready one after the other, s"] = round(ready, 1)
            times = change_times(mesh, "echo-0", _delayed)
            found[f"{size} pods, change to all acknowledged, ms"] = quantiles(times)
        found["istiod's CPU when idle, %"] = round(_idle(mesh), 2)
        found["everything, MiB"] = round(launcher.status(NAME)["memory"] / MIB, 0)
        found["100 pods at once, ready, s"] = round(_at_once(mesh), 1)
    return found


def _grow(mesh: course.Mesh, size: int) -> float:
    """Seconds until so many pods are ready."""
    began = time.monotonic()
    mesh.apply("---\n".join(_service(number, size // SERVICES) for number in range(SERVICES)))
    _wait(mesh, size)
    return time.monotonic() - began


def _at_once(mesh: course.Mesh) -> float:
    """The same from none to a hundred."""
    mesh.apply("---\n".join(_service(number, 0) for number in range(SERVICES)))
    _wait(mesh, 0)
    return _grow(mesh, SIZES[-1])


def _wait(mesh: course.Mesh, size: int) -> None:
    deadline = time.monotonic() + READY_LIMIT
    while True:
        pods = mesh.objects("pods", "default")
        if len(pods) == size and all(_ready(pod) for pod in pods):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{sum(map(_ready, pods))} of {size} pods ready")
        time.sleep(0.1)


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _idle(mesh: course.Mesh) -> float:
    """Per cent of one core over some quiet seconds, from the kernel's account of the process."""
    command = "discovery"
    (pid,) = [
        each["pid"]
        for each in launcher.status(NAME)["processes"]
        if command in each["command"] and "envoy" not in each["command"]
    ]
    time.sleep(5.0)  # what the last change set going ends
    before = _ticks(pid)
    time.sleep(IDLE_SECONDS)
    return (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS * 100


def _ticks(pid: int) -> int:
    """utime + stime of ``/proc/PID/stat``."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _service(number: int, replicas: int) -> str:
    """A Service and its Deployment; the container is the course's smallest web server."""
    name = f"echo-{number}"
    labels = {"app": name, "version": "v1"}
    container = {
        "name": "helloworld",
        "image": "docker.io/istio/examples-helloworld-v1:1.0",
        "ports": [{"containerPort": 5000}],
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
    }
    proxy = {"sidecar.istio.io/proxyCPU": "1m", "sidecar.istio.io/proxyMemory": "1Mi"}
    documents = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 5000}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": labels, "annotations": proxy},
                    "spec": {"containers": [container]},
                },
            },
        },
    ]
    return "---\n".join(json.dumps(document) + "\n" for document in documents)


def _rules() -> str:
    """Two hundred VirtualServices, one for each of the echoes, the others for hosts outside."""
    return "---\n".join(json.dumps(_rule(number)) + "\n" for number in range(RULES))


def _delayed(step: int) -> dict[str, Any]:
    """The rule of ``echo-0`` with another timeout at each step."""
    route = [{"destination": {"host": "echo-0"}}]
    return {"hosts": ["echo-0"], "http": [{"route": route, "timeout": f"{step + 1}s"}]}


def _rule(number: int) -> dict[str, Any]:
    host = f"echo-{number}" if number < SERVICES else f"outside-{number}.example.com"
    to = f"echo-{number % SERVICES}"
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": host.partition(".")[0]},
        "spec": {"hosts": [host], "http": [{"route": [{"destination": {"host": to}}]}]},
    }
