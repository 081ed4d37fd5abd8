"""Our ``istioctl`` for the embedded cluster, and what it installs.

Belongs here: the command line (`main`, `commands`), the manifests of Istio's parts (`manifests`), the
custom resource definitions (`crds`). Does not belong here: what runs in istiod's pod (`embedded.istiod`),
what configuration means (`embedded.istio`). I/O is allowed in `main` and `commands` only.
"""
