"""Our ``istioctl`` for the embedded cluster, and what it installs.

Belongs here: the command line (`main`, `parsing`, `commands`: one file or package per command), configuration analysis
(`analyze`), the manifests of Istio's parts (`manifests`), the custom resource definitions (`crds`), the names under
which Envoy's messages are printed (`protojson`). Does not belong here: what runs in istiod's pod (`embedded.istiod`),
what configuration means and what the webhook refuses (`embedded.istio`). I/O is allowed in `main`, `commands` and what
they ask the cluster with (`pods`, `exec`, `forward`, `control_plane`) only.
"""
