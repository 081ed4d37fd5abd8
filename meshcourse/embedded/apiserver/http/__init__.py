"""HTTP: URLs to calls, bodies to objects, objects to the representation that the client asked for.

Belongs here: paths, content negotiation, request bodies, watch streams, discovery documents. Does not belong here:
anything that a call means (``rest``). I/O: the requests themselves.
"""
