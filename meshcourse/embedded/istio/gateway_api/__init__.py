"""The Gateway API in Istio's terms: each listener becomes a Gateway, each route VirtualServices.

Pure, like everything under `istio`: ingest calls `convert`, translation then sees Istio's own kinds
only. What must be written back (statuses, the Deployments of gateways) is described, not done.

Source: istio.io "Kubernetes Gateway API", pilot's gateway controller (names, annotations and
messages of conditions are Istio's), the specification at gateway-api.sigs.k8s.io.
"""

from __future__ import annotations

from meshcourse.embedded.istio.gateway_api.convert import convert
from meshcourse.embedded.istio.gateway_api.status import merge

__all__ = ["convert", "merge"]
