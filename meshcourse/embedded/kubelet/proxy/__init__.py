"""kube-proxy: one Envoy per node that listens at every Service's addresses and balances over its ready endpoints.

Belongs here: Services and EndpointSlices → Envoy configuration (`model`, `config`: pure), writing it to files
that Envoy watches (no gRPC in the daemon), starting and checking that Envoy. Beside the TCP listeners there is
an HTTP forward proxy per namespace, so that a pod without a sidecar reaches Services by name (proxy variables
instead of cluster DNS); it adds no identity, no telemetry and no header. Not done: UDP, and sessionAffinity
(every caller has the same address here).
"""
