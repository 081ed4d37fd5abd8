"""The image ``proxyv2``: ``proxy sidecar``, ``proxy router`` and ``istio-iptables``."""

from __future__ import annotations

import os

from meshcourse.embedded.istiod.agent import command, log, settings, supervisor


def main(argv: list[str]) -> int:
    """Run what the container's arguments ask for; the exit code.

    The image's entry point is pilot-agent, which a command may name or not.
    """
    words = [word for word in argv[1:] if os.path.basename(word) != "pilot-agent"]
    if words[:1] == ["istio-iptables"]:
        return _capture()
    if words[:1] == ["proxy"]:
        return _proxy(words)
    return command.main(["pilot-agent", *words])


def _proxy(words: list[str]) -> int:
    try:
        found = settings.read(words, os.environ)
    except (KeyError, ValueError) as error:
        log.error(f"invalid configuration of the proxy's container: {error}")
        return 1
    log.info(f"Proxy role\tid={found.node_id}")
    return supervisor.Supervisor(found, os.environ).run()


def _capture() -> int:
    """istio-init. Here the proxy variables capture traffic; check that the injector set them."""
    address = os.environ.get("MESHCOURSE_APP_IP", "")
    if not address:
        log.error("no application address: this pod was not started by the embedded kubelet")
        return 1
    log.info("On a real cluster this container redirects the pod's traffic to Envoy with iptables.")
    log.info(
        f"Here the application listens on {address}, Envoy on the pod's own address, and outbound "
        f"traffic reaches Envoy at {address}:15001 through the standard proxy variables."
    )
    return 0
