"""A cluster that somebody else made: any context of a kubeconfig. The course never creates or deletes it.

What belongs here: choosing the context, what this user may do there, what is installed already, how its Services are
reached. I/O: files, the Kubernetes API, connections to Services.
"""

from __future__ import annotations

from meshcourse.cluster.context.provider import Context

__all__ = ["Context"]
