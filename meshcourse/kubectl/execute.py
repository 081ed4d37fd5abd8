"""``kubectl exec``: a command in a container, over a WebSocket.

Source: Kubernetes' remote command protocol ``v5.channel.k8s.io``: the first byte of a frame is the channel (0 standard
input, 1 output, 2 error, 3 the final ``Status``); channel 255 closes another one.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from meshcourse.cluster import rest
from meshcourse.cluster.manifests import name_of, namespace_of
from meshcourse.kubectl import logs, naming
from meshcourse.kubectl.arguments import Flag
from meshcourse.kubectl.context import Context
from meshcourse.kubectl.errors import KubectlError

FLAGS = (
    Flag("container", "c"),
    Flag("stdin", "i", "switch"),
    Flag("tty", "t", "switch"),
    Flag("quiet", "q", "switch"),
)
_STDIN, _STDOUT, _STDERR, _STATUS, _CLOSE = b"\0", 1, 2, 3, b"\xff"


def run(context: Context) -> int:
    args = context.args
    if not args.words:
        raise KubectlError("pod, type/name or --filename must be specified")
    command = args.command or args.words[1:]
    if not command:
        raise KubectlError("you must specify at least one command for the container")
    pod = naming.pods_of(context, args.words[0])[0]
    container = args.text("container") or logs.default_container(context, pod)
    return _converse(context, _open(context, pod, container, command))


def _open(context: Context, pod: Any, container: str, command: list[str]) -> Any:
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    if context.args.on("stdin"):
        query.append(("stdin", "true"))
    query += [("command", word) for word in command]
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/exec"
    subprotocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
    socket = context.cluster.api.websocket(path, urlencode(query), subprotocols)
    socket.settimeout(None)
    return socket


def _converse(context: Context, socket: Any) -> int:
    """Feed standard input, print what comes, and turn the final status into an exit code."""
    import websocket

    status: dict[str, Any] = {}
    try:
        if context.args.on("stdin"):
            socket.send_binary(_STDIN + context.stdin.encode())
            if socket.getsubprotocol() == "v5.channel.k8s.io":
                socket.send_binary(_CLOSE + _STDIN)
        while frame := socket.recv():
            data = frame if isinstance(frame, bytes) else frame.encode()
            if data[0] in (_STDOUT, _STDERR):
                context.write(data[1:].decode(errors="replace"))
            elif data[0] == _STATUS:
                status = json.loads(data[1:])
    except websocket.WebSocketConnectionClosedException:
        pass
    finally:
        rest.hang_up(socket)
    return _exit_code(context, status)


def _exit_code(context: Context, status: dict[str, Any]) -> int:
    if status.get("status") == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") == "ExitCode":
            context.say(f"command terminated with exit code {cause['message']}")
            return int(cause["message"])
    message = status.get("message") or "the connection to the container was lost"
    raise KubectlError(f"Internal error occurred: {message}" if not status else message)
