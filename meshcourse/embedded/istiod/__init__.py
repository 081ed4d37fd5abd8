"""istiod, the control plane process, and the agent that runs beside every Envoy.

Belongs here: watching the API (`world`), pushing configuration (`push`, `xds`), certificates (`ca`),
the webhooks (`inject`, `webhooks`), key sets of issuers (`keysets`), what snapshots mean for the API's
objects (`statuses`, `gateways`), istiod's pages and metrics, and the proxy's container (`agent`).
Does not belong here: what Istio objects mean for Envoy (`embedded.istio`, pure), installing Istio
(`embedded.istioctl`). I/O is allowed, except in `inject`, `managed`, `xds.delivery` and `xds.wire`.

`IMAGES` and `EXECUTABLES` as in `embedded.images`.
"""

from __future__ import annotations

from typing import Final

_HERE: Final = "meshcourse.embedded.istiod"

#: Image path suffix → the function behind it.
IMAGES: Final[dict[str, str]] = {
    "pilot": f"{_HERE}.main:main",
    "proxyv2": f"{_HERE}.agent.main:main",
}

#: Program name → the function behind it, for ``kubectl exec`` and lifecycle hooks.
EXECUTABLES: Final[dict[str, str]] = {
    "pilot-agent": f"{_HERE}.agent.command:main",
    "pilot-discovery": f"{_HERE}.command:main",
}

#: What the fork server imports beforehand, so that all containers share it.
PRELOAD: Final = (f"{_HERE}.main", f"{_HERE}.agent.main")
