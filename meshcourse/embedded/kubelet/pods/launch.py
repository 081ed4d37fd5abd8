"""From a container's spec to what the fork server is asked to start."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet import addressing
from meshcourse.embedded.kubelet.images import Pulled
from meshcourse.embedded.kubelet.pods import environment
from meshcourse.embedded.kubelet.pods.view import PodView
from meshcourse.embedded.kubelet.processes.client import Spec

#: Variables of the daemon that containers get too: where Python finds this package, and the mark by which the
#: launcher finds what a dead daemon left.
_HANDED_ON = ("PYTHONPATH", "MESHCOURSE_CLUSTER_DIR")
#: What ``kubectl cp`` runs in a container.
_OF_COPY = ("tar", "test")
_DEFAULT_TERMINATION_LOG = "/dev/termination-log"


def container_spec(view: PodView, container: Object, pulled: Pulled) -> Spec:
    """What to start for a container whose volumes are mounted.

    :raises ConfigError: if its environment refers to something that is missing.
    """
    root = view.node.layout.container_root(view.uid, container["name"])
    env = environment.build(_base(view, root), container, view.sources())
    command = [environment.expand(word, env) for word in container.get("command") or []]
    args = [environment.expand(word, env) for word in container.get("args") or []]
    spec = Spec(
        argv=(pulled.name, *command, *args),
        env=env,
        cwd=working_directory(root, container),
        title=_title(view, container["name"], str(container.get("image"))),
        short=f"mc-{container['name']}",
        entry=pulled.image.entry,
        tty=bool(container.get("tty")),
    )
    if spec.entry:
        return spec
    own = [environment.expand(word, env) for word in pulled.image.command]
    return replace(spec, argv=(*(command or own), *args))


def exec_spec(
    view: PodView, running: Spec, container: str, command: Sequence[str], tty: bool
) -> Spec:
    """What to start for ``kubectl exec`` in a container: its directory and environment, another program."""
    root = Path(running.env.get("MESHCOURSE_ROOT", running.cwd))
    spec = replace(
        running,
        argv=(command[0], *_seen_from(root, command)),
        cwd=root if command[0] in _OF_COPY else running.cwd,
        entry="",
        tty=tty,
        title=_title(view, container, command[0]),
    )
    name = command[0]
    # An image's path to one of its programs (/usr/bin/fortio) need not exist on this machine.
    if os.path.isabs(name) and not os.path.exists(name):
        name = os.path.basename(name)
    own = view.node.puller.catalogue.programs.get(name)
    return replace(spec, entry=own) if own is not None else spec


def _seen_from(root: Path, command: Sequence[str]) -> Iterator[str]:
    """The arguments with absolute paths as the container means them.

    What lies below its root is meant there (``cat /etc/app/settings``); anything else is this machine's. The programs
    that ``kubectl cp`` runs never leave the root: they run in it, with relative paths.
    """
    for word in command[1:]:
        if not word.startswith("/"):
            yield word
        elif command[0] in _OF_COPY:
            yield word.lstrip("/") or "."
        else:
            inside = root / word.lstrip("/")
            yield str(inside) if os.path.lexists(inside) else word


def working_directory(root: Path, container: Object) -> Path:
    """``workingDir`` below the container's root, made if it is missing."""
    found = root / str(container.get("workingDir") or "").lstrip("/")
    found.mkdir(parents=True, exist_ok=True)
    return found


def termination_log(root: Path, container: Object) -> Path:
    """The file in which a container may leave its last words."""
    path = str(container.get("terminationMessagePath") or _DEFAULT_TERMINATION_LOG)
    return root / path.lstrip("/")


def make_root(root: Path, container: Object) -> None:
    """The directories every image has."""
    for part in ("tmp", "dev"):
        (root / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    log = termination_log(root, container)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")


def _base(view: PodView, root: Path) -> dict[str, str]:
    """What the kubelet sets in every container. See "Container environment" in docs/architecture.md."""
    node = view.node
    host, port = node.api
    path = [str(node.layout.programs), os.path.dirname(sys.executable)]
    env = {
        "PATH": os.pathsep.join([*path, os.environ.get("PATH", os.defpath)]),
        "HOME": str(root),
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        # A learner's Python program would otherwise keep its output until its buffer is full.
        "PYTHONUNBUFFERED": "1",
        "HOSTNAME": str(view.spec.get("hostname") or view.name),
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        "MESHCOURSE_CLUSTER": node.cluster,
        "MESHCOURSE_POD_IP": view.addresses.pod_ip,
        "MESHCOURSE_APP_IP": view.addresses.app_ip,
        "MESHCOURSE_LISTEN_HOST": view.addresses.pod_ip,
        "MESHCOURSE_ROOT": str(root),
        "MESHCOURSE_PORTS": json.dumps(view.ports()),
        **_real_ports(view),
        **node.proxy_environment(view.namespace),
    }
    env |= {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    return env


def _real_ports(view: PodView) -> dict[str, str]:
    """``MESHCOURSE_POD_PORT_8080`` and ``MESHCOURSE_APP_PORT_8080`` for every known port, mapped or not."""
    found = {}
    for port in sorted(addressing.container_ports(view.pod)):
        found[f"MESHCOURSE_POD_PORT_{port}"] = str(view.addresses.pod(port)[1])
        found[f"MESHCOURSE_APP_PORT_{port}"] = str(view.addresses.app(port)[1])
    return found


def _title(view: PodView, container: str, what: str) -> str:
    return f"meshcourse {view.node.cluster}: {view.namespace}/{view.name}/{container} {what}"
