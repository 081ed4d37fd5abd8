"""Pure translation of Kubernetes and Istio objects into Envoy configuration.

Belongs here: the immutable model of the mesh (`model`), reading objects into it (`ingest`),
building Envoy resources for one proxy (`build`, `translate`), what the validating webhook refuses
(`validate`). Following a request through what is generated is the room `simulate`'s.
Three stages as in Istio's pilot: ingest, translate, serve; the last one lives in `istiod`.

Does not belong here: I/O of any kind, clocks, environment variables, protobuf. Resources are
proto3-JSON dictionaries. Values that differ between two sidecars of one namespace never appear in
outbound clusters, endpoints and routes: Envoy reads them from its environment
(`names.PEER_ENVIRONMENT`) and its bootstrap.
"""
