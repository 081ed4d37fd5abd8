"""How the engine's own components speak to the API server.

Belongs here: the `Client` protocol, its HTTPS implementation, the informer (list, watch, cache) and the work queue.
Does not belong here: anything that knows a particular kind, or the server's storage.
"""
