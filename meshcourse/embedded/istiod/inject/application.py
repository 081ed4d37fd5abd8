"""What injection changes for the application's own containers.

On a real cluster iptables captures traffic and the container is not touched. Here the application
moves to the pod's second address and the standard proxy variables lead to Envoy
(docs/architecture.md, "Container environment"). The variables go first, so that one the user sets
himself wins.
"""

from __future__ import annotations

from meshcourse.embedded.kube.objects import Object

_APP = "$(MESHCOURSE_APP_IP)"
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "grpc_proxy")
EXCLUDED = "traffic.sidecar.istio.io/excludeOutboundIPRanges"


def capture(container: Object, excluded: str = "") -> Object:
    """The container with the variables that put Envoy in front of it.

    :param excluded: comma-separated addresses that the application reaches directly.
    """
    values = {"MESHCOURSE_LISTEN_HOST": _APP}
    values |= dict.fromkeys(_PROXY_VARIABLES, f"http://{_APP}:15001")
    if excluded:
        values["no_proxy"] = f"$(no_proxy),{excluded}"
    ours: list[Object] = [{"name": name, "value": value} for name, value in values.items()]
    known = {variable["name"] for variable in ours}
    own = [one for one in container.get("env") or () if not _ours(one, known)]
    return {**container, "env": [*ours, *own]}


def _ours(variable: Object, names: set[str]) -> bool:
    """Whether a variable is one of a former injection (it must not be added twice)."""
    return variable["name"] in names and _APP in str(variable.get("value", ""))
