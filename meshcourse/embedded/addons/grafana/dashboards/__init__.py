"""The course's own dashboards over Istio's standard metrics, in Grafana's JSON model. Pure.

`ALL` maps uid → dashboard. Panels are made by `panels`, one module per dashboard. Source of the metrics and their
labels: istio.io, "Istio Standard Metrics"; of the JSON model: grafana.com, "Dashboard JSON model".
"""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.addons.grafana.dashboards import mesh, performance, service, workload

ALL: dict[str, dict[str, Any]] = {
    found["uid"]: found
    for found in (mesh.DASHBOARD, service.DASHBOARD, workload.DASHBOARD, performance.DASHBOARD)
}
