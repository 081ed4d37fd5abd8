"""The stand-in for Kiali: the service graph from metrics, health, lists and validations of Istio configuration.

Belongs here: `graph` (samples → elements, pure), `validations` (the KIA codes, pure), `health` and `mesh` (pure), and
the only module that does I/O besides the HTTP routes, `sources` (Prometheus and the Kubernetes API). Source of all
shapes: kiali.io, Kiali's HTTP API and validation reference.
"""
