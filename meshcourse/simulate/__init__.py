"""Following one hypothetical request through an Envoy's configuration, without Envoy. Pure.

Belongs here: reading a configuration the way Envoy does (listener, filter chain, policy, virtual host, route,
cluster, endpoints), saying in words where a request ends and why; reading Envoy's own ``config_dump``. Does not
belong here: Istio objects, clusters, and whose engine made the configuration: what is read is what any Envoy has,
of real Istio as of the embedded cluster. Source: Envoy's documentation of each step; the idea is istio's
pilot/pkg/simulation.
"""

from __future__ import annotations

from meshcourse.simulate.config import Config, Configuration, from_dump
from meshcourse.simulate.outcome import Outcome, Request, Step
from meshcourse.simulate.walk import gateway, inbound, outbound

__all__ = [
    "Config",
    "Configuration",
    "Outcome",
    "Request",
    "Step",
    "from_dump",
    "gateway",
    "inbound",
    "outbound",
]
