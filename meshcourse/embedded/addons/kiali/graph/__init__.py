"""From PromQL samples to the elements of a graph. Pure: no I/O here.

`queries` says what to ask, `build` makes a `model.TrafficMap` of the answers, `finish` and `details` complete it (idle
and dead nodes, roots, Istio objects), `render` writes Kiali's JSON.
"""
