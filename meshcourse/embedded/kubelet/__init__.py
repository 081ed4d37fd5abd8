"""The node: turns Pods into processes and Services into listeners on this machine.

Belongs here: the image catalogue, pod workers, the fork server and its client (`processes`), volumes, probes, logs,
exec, addresses, resource use, the single-node scheduler and kube-proxy (`proxy`). I/O: yes. Does not belong here:
anything about Istio (an injected pod is a pod), controllers, the HTTP side of logs and exec (`apiserver.streams`).
Importing this package loads nothing: the fork server starts through it and must start quickly.
"""
