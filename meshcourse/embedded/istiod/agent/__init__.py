"""pilot-agent: process 1 of ``istio-proxy``. Gets a certificate, writes Envoy's bootstrap, runs Envoy.

Belongs here: what happens inside the proxy's container, with the standard library and `cryptography`
only: one agent runs beside every Envoy, so it must stay small. Synchronous and single-threaded on
purpose (it forks). Does not belong here: gRPC, asyncio, the Kubernetes API, anything of istiod's other
rooms but `ca.authority`.
"""
