"""A stand-in for Grafana: the mesh's dashboards, the HTTP API that clients use, and a page that draws them live.

Belongs here: `dashboards` (definitions, pure), `provisioning` (the same as
files), `frames` (Prometheus answers → data frames, pure), `api`, page. Does not
belong here: evaluating PromQL, which Prometheus does.
"""
