"""What kube-controller-manager does in a cluster: one controller per file, joined by `manager.Manager`.

Belongs here: control loops over the `Client` protocol, and beside each loop the pure arithmetic it applies (``*_plan``,
``*_status``, ``*_rules`` modules). I/O happens only through the client. Does not belong here: the node's side of things
(kubelet), anything of Istio, storage, names of the embedded API server.
"""
