"""Which Kubernetes, by which image, and how this machine reaches into the node. Pure apart from reading variables.

Every NodePort that the cluster can give is mapped to a port of this machine's loopback address: the API server gives
node ports out of a narrow range, so that LoadBalancer and NodePort Services are all reached, without a port-forward
and whatever they are called.
"""

from __future__ import annotations

import os
from typing import Any

import yaml

from meshcourse import versions
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.kind.commands import IMAGE_VARIABLE, PORTS_VARIABLE
from meshcourse.cluster.manifests import Object, dig

#: The Kubernetes line, ``1.35``.
VERSION_VARIABLE = "MESHCOURSE_KUBERNETES"
#: The kind release that made the images below; older ones do not know them.
KIND = "0.31.0"
#: Line → image, pinned. Source: kind v0.31.0, its default image and its release notes.
IMAGES = {
    "1.35": "kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f",
    "1.34": "kindest/node:v1.34.3@sha256:08497ee19eace7b4b5348db5c6a1591d7752b164530a36f855cb0f2bdcbadd48",
}
#: The node ports that the cluster gives, and how many: a gateway takes five.
FIRST, COUNT = 30000, 32
_ADDRESS = "127.0.0.1"


def image() -> str:
    """The node image: by ``$MESHCOURSE_KIND_IMAGE``, else the pinned one of the line.

    :raises ClusterError: if no image is pinned for the line.
    """
    if chosen := os.environ.get(IMAGE_VARIABLE):
        return chosen
    line = os.environ.get(VERSION_VARIABLE) or ".".join(
        versions.KUBERNETES.removeprefix("v").split(".")[:2]
    )
    if line not in IMAGES:
        raise ClusterError(
            f"no node image is pinned for Kubernetes {line}",
            remedy=f"Pinned are {', '.join(IMAGES)}; another one by {IMAGE_VARIABLE}=kindest/node:…@sha256:….",
        )
    return IMAGES[line]


def base() -> int:
    """The first of `COUNT` ports of this machine that lead into the cluster.

    :raises ClusterError: if what was chosen is no port.
    """
    text = os.environ.get(PORTS_VARIABLE, str(FIRST))
    if not text.isdigit() or not 1024 <= int(text) <= 65536 - COUNT:
        raise ClusterError(
            f"{PORTS_VARIABLE}={text} is no port to begin with",
            remedy=f"Set it to a number of 1024 to {65536 - COUNT}.",
        )
    return int(text)


def render(node_image: str, first: int) -> str:
    """The file that ``kind create cluster --config`` takes (kind.x-k8s.io/v1alpha4)."""
    mappings = [
        {"containerPort": FIRST + i, "hostPort": first + i, "listenAddress": _ADDRESS}
        for i in range(COUNT)
    ]
    node = {"role": "control-plane", "image": node_image, "extraPortMappings": mappings}
    config = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": _ADDRESS},
        "kubeadmConfigPatches": [yaml.safe_dump(patch) for patch in _ranges()],
        "nodes": [node],
    }
    return yaml.safe_dump(config, sort_keys=False)


def _ranges() -> list[Object]:
    """Patches match by version: kind writes v1beta3 or v1beta4, in which arguments are a map or a list."""
    name, value = "service-node-port-range", f"{FIRST}-{FIRST + COUNT - 1}"
    shapes: dict[str, Any] = {"v1beta3": {name: value}, "v1beta4": [{"name": name, "value": value}]}
    return [
        {
            "kind": "ClusterConfiguration",
            "apiVersion": f"kubeadm.k8s.io/{version}",
            "apiServer": {"extraArgs": arguments},
        }
        for version, arguments in shapes.items()
    ]


def mapped(service: Object, port: int, first: int) -> tuple[str, int] | None:
    """Where this machine reaches a Service's port, None if it has no node port of ours."""
    for item in dig(service, "spec.ports", []):
        node = int(item.get("nodePort") or 0)
        if int(item["port"]) == port and FIRST <= node < FIRST + COUNT:
            return _ADDRESS, first + node - FIRST
    return None


def first_of(text: str) -> int:
    """The first port of a configuration that was rendered before."""
    found = yaml.safe_load(text)
    return int(found["nodes"][0]["extraPortMappings"][0]["hostPort"])


def image_of(text: str) -> str:
    """The node image of a configuration that was rendered before."""
    return str(yaml.safe_load(text)["nodes"][0]["image"])
