"""What the mesh itself costs: configuration pushes, proxies, memory."""

from __future__ import annotations

from meshcourse.embedded.addons.grafana.dashboards import panels

DASHBOARD = panels.dashboard(
    "performance",
    "Istio Performance",
    [
        panels.text(
            "What you see here",
            "The price of the mesh: memory of each Envoy, how often istiod pushes configuration "
            "and how long it takes to arrive.",
        ),
        panels.series(
            "Memory of each proxy", [("envoy_server_memory_allocated", "{{pod}}")], "bytes"
        ),
        panels.series(
            "Connections of each proxy", [("envoy_server_total_connections", "{{pod}}")], "short"
        ),
        panels.series(
            "Configuration pushes",
            [("sum(irate(pilot_xds_pushes[1m])) by (type)", "{{type}}")],
            "ops",
        ),
        panels.series(
            "Rejected configuration",
            [("sum(pilot_total_xds_rejects) or vector(0)", "rejected")],
            "short",
        ),
        panels.series(
            "Time from change to proxy",
            [
                (
                    f"histogram_quantile({share}, sum(rate(pilot_proxy_convergence_time_bucket[1m])) by (le))",
                    f"P{share[2:]}",
                )
                for share in ("0.50", "0.90", "0.99")
            ],
            "s",
        ),
        panels.series("Connected proxies", [("sum(pilot_xds) or vector(0)", "proxies")], "short"),
    ],
)
