"""Serving configuration to Envoys: encoding, ordering and the ADS stream.

Belongs here: the wire form of resources (`wire`, `encode`), which clusters a resource refers to (`references`), the
per-connection state machine that decides what may be sent when (`delivery`, pure, no clock), and the gRPC server.
Does not belong here: what the configuration means (that is `embedded.istio`), watching the API, certificates.
I/O: only in `server`.
"""
