"""``kubectl port-forward``: listens until interrupted."""

from __future__ import annotations

import threading

from meshcourse.cluster.cluster import container_port
from meshcourse.cluster.manifests import Object, name_of, namespace_of
from meshcourse.cluster.portforward import PortForward, Target
from meshcourse.cluster.reach import choose
from meshcourse.kubectl import naming
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (Flag("address"), Flag("pod-running-timeout"))


def run(context: Context) -> int:
    word, *ports = context.args.words or [""]
    if not word or not ports:
        raise KubectlError("TYPE/NAME and list of ports are required for port-forward")
    forwards = [start(context, word, port) for port in ports]
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        for forward in forwards:
            forward.close()
    return 0


def start(context: Context, word: str, port: str) -> PortForward:
    """Listen for one ``LOCAL:REMOTE`` pair, in the background."""
    left, _, right = port.partition(":")
    remote = right or left
    pod = naming.pods_of(context, word)[0]
    number = _container_port(context, word, pod, remote)

    def pick() -> Target:
        return namespace_of(pod), name_of(pod), number

    local = int(left) if left.isdigit() else 0
    forward = PortForward(
        context.cluster.api,
        pick,
        host=context.args.text("address", "127.0.0.1").replace("localhost", "127.0.0.1"),
        port=local,
        on_connection=lambda _port: context.say(f"Handling connection for {forward.port}"),
        on_error=lambda text: context.say(f"E portforward: {text}"),
    )
    context.say(f"Forwarding from {forward.host}:{forward.port} -> {number}")
    return forward


def _container_port(context: Context, word: str, pod: Object, remote: str) -> int:
    wanted: int | str = int(remote) if remote.isdigit() else remote
    if word.partition("/")[0] in ("svc", "service", "services"):
        service = context.cluster.service(word.partition("/")[2], context.namespace)
        return container_port(pod, choose(service, wanted).target)
    return container_port(pod, wanted)
