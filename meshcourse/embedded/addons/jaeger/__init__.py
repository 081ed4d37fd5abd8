"""A stand-in for Jaeger: takes spans by Zipkin and OTLP, keeps the newest, serves both query APIs and a page.

Belongs here: `spans` (the model), `zipkin` and `otlp` (ingestion, pure), `store` (bounded memory), `classic` and `v3`
(JSON of the two query APIs, pure), routes and page. Does not belong here: sampling or span names, which are Envoy's and
Istio's.
"""
