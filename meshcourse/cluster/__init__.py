"""Where the learner's cluster comes from, and what one can do with any of them.

Belongs here: the providers (how a cluster is started, stopped and reached), and `Cluster`, which speaks to the
Kubernetes API of whatever kubeconfig it was given: apply, wait, delete, reach a service, run istioctl. Does not belong
here: statistics, pictures, labs, anything that knows the embedded engine beyond `embedded.daemon.launcher`.
I/O is allowed.

The official `kubernetes` client is offered to learners (`Cluster.client`), but nothing here imports it at start: its
import alone takes two seconds. The room's own client is `rest.Rest`, a few hundred lines over urllib3.
"""
