"""Custom resource definitions of Istio and of the Gateway API, from a compact notation.

Belongs here: the notation (`language`), the definitions (``*.txt``) and putting them together. Field names
and types are Istio's; the explanations that ``kubectl explain`` prints are ours.
"""

from __future__ import annotations

from meshcourse.embedded.istioctl.crds.definitions import gateway_api, istio

__all__ = ["gateway_api", "istio"]
