"""PromQL evaluation over arrays: an expression is evaluated for all steps of a query at once. No I/O.

Semantics follow Prometheus 3 (range selectors and look-back are open on the left) for float samples; native
histograms are not supported. Source: prometheus.io, "Querying basics", "Operators", "Functions".
"""
