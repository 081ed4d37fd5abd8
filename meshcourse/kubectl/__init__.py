"""Our own kubectl: the verbs the course uses, with the output of the real one, for machines without it.

Belongs here: reading a kubectl command line, doing it over `Cluster`, printing what kubectl prints. Does not belong
here: convenience of our own (that is `Cluster`'s), anything about Istio. The real kubectl is preferred where it is on
PATH (`front`). I/O is allowed. One module per verb; imitated version: kubectl 1.32.
"""
