"""What the API server asks of the node: logs, exec, attach, port-forward (`NodeBackend`).

Belongs here: finding the container that is meant, a kubelet's refusals, sessions. Does not belong here: wire protocols
(`apiserver.streams`), pod life.
"""
