"""A supervised port-forward: a local port whose every connection goes to a ready pod of a Service.

Each connection picks a pod and dials anew, so that a restarted pod needs no reconnect logic. Source: the kubelet's
WebSocket port-forward (``v4.channel.k8s.io``): data on channel 0, errors on channel 1, the first frame of each channel
carries the port number as two bytes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from meshcourse.cluster import rest
from meshcourse.cluster.errors import ClusterError
from meshcourse.errors import MeshcourseError

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1

#: Namespace, pod and container port of a pod that is ready now.
Target = tuple[str, str, int]


class PortForward:
    """Listens on `host`:`port` (loopback, 0 picks one) until closed.

    :param pick: chooses the pod for a connection; its errors close that connection only.
    :param on_error: told what went wrong with a connection.
    """

    def __init__(
        self,
        api: rest.Rest,
        pick: Callable[[], Target],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_connection: Callable[[int], None] | None = None,
        on_error: Callable[[str], None] | None = None,
    ) -> None:
        self._api = api
        self._pick = pick
        self._on_connection = on_connection or (lambda _port: None)
        self._on_error = on_error or (lambda _text: None)
        try:
            self._listener = socket.create_server((host, port))
        except OSError as error:
            raise ClusterError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                remedy="Choose another local port.",
            ) from error
        self.host, self.port = self._listener.getsockname()[:2]
        self._thread = threading.Thread(
            target=self._accept, name=f"port-forward-{self.port}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; connections under way end with their peers."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=2)

    def __enter__(self) -> PortForward:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                namespace, pod, port = self._pick()
                self._on_connection(port)
                remote = self._dial(namespace, pod, port)
                try:
                    threading.Thread(target=_upload, args=(connection, remote), daemon=True).start()
                    if message := _download(remote, connection):
                        self._on_error(message)
                finally:
                    rest.hang_up(remote)
            except (MeshcourseError, OSError) as error:
                self._on_error(str(error))

    def _dial(self, namespace: str, pod: str, port: int) -> Any:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        remote = self._api.websocket(path, f"ports={port}", [PROTOCOL])
        remote.settimeout(None)
        return remote


def _upload(connection: socket.socket, remote: Any) -> None:
    """Bytes from the local client to the pod, until the client is done."""
    import websocket

    with contextlib.suppress(OSError, websocket.WebSocketException):
        while data := connection.recv(65536):
            remote.send_binary(bytes([_DATA]) + data)
        remote.close(timeout=0)


def _download(remote: Any, connection: socket.socket) -> str:
    """Frames from the pod to the local client; returns the pod's error, if it reported one."""
    import websocket

    greeted: set[int] = set()
    with contextlib.suppress(OSError, websocket.WebSocketException):
        while frame := remote.recv():
            channel, data = frame[0], frame[1:]
            if channel not in greeted:
                greeted.add(channel)
                data = data[2:]
            if channel == _ERROR and data:
                return bytes(data).decode(errors="replace")
            if data:
                connection.sendall(data)
    return ""
