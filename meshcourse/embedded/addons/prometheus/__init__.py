"""A stand-in for Prometheus: scrapes, stores in memory, evaluates PromQL, serves the HTTP API.

Belongs here: `tsdb` (samples), `exposition` (the text format), `promql` (evaluation, pure), scraping and the API. The
grammar is the ``promql-parser`` library's. Does not belong here: what Kiali or Grafana make of the numbers.
"""
