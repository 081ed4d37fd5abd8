"""Builders of Envoy resources: one file per thing built and direction (``listener_inbound``,
``cluster_outbound`` …).

Belongs here: pure functions from model values to proto3-JSON dictionaries. Does not belong here:
which objects apply to a proxy (`scope`), caching (`translate`).
"""
