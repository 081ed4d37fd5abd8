"""Following one hypothetical request through generated configuration, without Envoy. Pure.

Belongs here: reading `model.Resources` the way Envoy does (listener, filter chain, policy, virtual
host, route, cluster, endpoints) and saying in words where a request ends. Does not belong here:
Istio objects; what is simulated is the configuration itself, so that tests, checks and
``mesh.explain`` see what Envoy sees. Source: Envoy's documentation of each step; the idea is
istio's pilot/pkg/simulation.
"""

from __future__ import annotations

from meshcourse.embedded.istio.simulate.outcome import Outcome, Request, Step
from meshcourse.embedded.istio.simulate.walk import gateway, inbound, outbound

__all__ = ["Outcome", "Request", "Step", "gateway", "inbound", "outbound"]
