"""One Pod as processes: its containers' lives, environment, volumes and status.

Belongs here: `worker` (one task per Pod), `container` (one container's life), and the pure parts they are made of
(`state`, `status`, `environment`, `backoff`). Does not belong here: the node as a whole, probes, kube-proxy.
"""
