"""Services that a mesh's policies ask: keys for JWTs, external authorization, rate limits.

Belongs here: the images ``jwt-server`` and ``ext-authz`` (istio samples of those names) and ``envoyproxy/ratelimit``.
They speak Envoy's protocols to the wire; the messages are tables of the fields that are used. I/O is allowed.
"""
