"""One check of a container: exec, httpGet, tcpSocket or grpc.

Source: kubelet's probe packages (what counts as success, the text of failures).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import yarl

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.pods import launch
from meshcourse.embedded.kubelet.probes import grpc_health
from meshcourse.embedded.kubelet.processes.capture import capture
from meshcourse.embedded.kubelet.processes.client import StartError

if TYPE_CHECKING:
    from meshcourse.embedded.kubelet.pods.container import Container

_MAX_OUTPUT = 10 * 1024
_USER_AGENT = "kube-probe/1.35"


@dataclass(frozen=True, slots=True)
class Result:
    """Whether the check passed, and what to show if not."""

    ok: bool
    output: str = ""


async def check(container: Container, handler: Object, timeout: float) -> Result:
    """Run one check; it ends within `timeout` seconds, one way or the other."""
    try:
        if "exec" in handler:
            return await _exec(container, handler["exec"].get("command") or [], timeout)
        if "httpGet" in handler:
            return await _http(container, handler["httpGet"], timeout)
        if "grpc" in handler:
            return await _grpc(container, handler["grpc"], timeout)
        return await _tcp(container, handler["tcpSocket"], timeout)
    except LookupError as error:
        return Result(False, str(error.args[0]))


def port_of(container: Object, port: str | int) -> int:
    """A probe's port as a number.

    :raises LookupError: if the container has no port of that name.
    """
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for declared in container.get("ports") or []:
        if declared.get("name") == port:
            return int(declared["containerPort"])
    raise LookupError(f'couldn\'t find port: "{port}" in container {container["name"]}')


async def _exec(container: Container, command: list[str], timeout: float) -> Result:
    if container.running_spec is None:
        return Result(False, "the container is not running")
    spec = launch.exec_spec(container.view, container.running_spec, container.name, command, False)
    try:
        code, output = await capture(container.view.node.forker, spec, timeout, _MAX_OUTPUT)
    except StartError as error:
        return Result(False, error.message)
    except TimeoutError:
        return Result(
            False, f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s'
        )
    return Result(code == 0, output)


async def _http(container: Container, get: Object, timeout: float) -> Result:
    port = port_of(container.spec, get["port"])
    host, real = container.view.endpoint(container.spec, port)
    host = get.get("host") or host
    scheme = str(get.get("scheme") or "HTTP").lower()
    path = str(get.get("path") or "/")
    url = yarl.URL(f"{scheme}://{host}:{real}/{path.lstrip('/')}", encoded=True)
    headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Connection": "close"}
    headers |= {h["name"]: h["value"] for h in get.get("httpHeaders") or []}
    try:
        status = await _fetch(url, headers, timeout)
    except TimeoutError:
        return Result(
            False,
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        )
    except OSError as error:
        return Result(False, f'Get "{url}": dial tcp {host}:{real}: connect: {_reason(error)}')
    except aiohttp.ClientError as error:
        return Result(False, f'Get "{url}": {error or "EOF"}')
    if 200 <= status < 400:
        return Result(True)
    return Result(False, f"HTTP probe failed with statuscode: {status}")


async def _fetch(url: yarl.URL, headers: dict[str, str], timeout: float) -> int:
    """The status code; redirects within the host are followed, others count as they are."""
    context = ssl.create_default_context() if url.scheme == "https" else None
    if context is not None:  # a kubelet does not verify certificates
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=context or True, force_close=True)
    limits = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(connector=connector, timeout=limits) as session:
        for _ in range(10):
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                location = answer.headers.get("Location")
                if answer.status not in (301, 302, 303, 307, 308) or not location:
                    return answer.status
                target = url.join(yarl.URL(location))
                if target.host != url.host:
                    return answer.status
                url = target
    raise aiohttp.ClientError("stopped after 10 redirects")


async def _tcp(container: Container, socket: Object, timeout: float) -> Result:
    port = port_of(container.spec, socket["port"])
    host, real = container.view.endpoint(container.spec, port)
    host = socket.get("host") or host
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, real)
    except TimeoutError:
        return Result(False, f"dial tcp {host}:{real}: i/o timeout")
    except OSError as error:
        return Result(False, f"dial tcp {host}:{real}: connect: {_reason(error)}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Result(True)


async def _grpc(container: Container, grpc: Object, timeout: float) -> Result:
    host, real = container.view.endpoint(container.spec, int(grpc["port"]))
    try:
        async with asyncio.timeout(timeout):
            status = await grpc_health.check(host, real, str(grpc.get("service") or ""))
    except TimeoutError:
        return Result(
            False, f'timeout: failed to connect service "{host}:{real}" within {timeout:g}s'
        )
    except OSError:
        return Result(False, f'failed to connect service "{host}:{real}": connection refused')
    if status == grpc_health.SERVING:
        return Result(True)
    return Result(False, f"service unhealthy (responded with {grpc_health.name(status)!r})")


def _reason(error: OSError) -> str:
    """``connection refused``: the operating system's words as Go prints them."""
    cause = getattr(error, "os_error", None) or error
    import os

    return os.strerror(cause.errno).lower() if cause.errno else str(error)
