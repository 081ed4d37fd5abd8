"""What the Envoy of a pod says about itself: asked as a person would, with ``pilot-agent`` in the pod."""

from __future__ import annotations

import time

from meshcourse.cluster.cluster import Cluster
from meshcourse.errors import MeshcourseError
from meshcourse.kubectl import front
from meshcourse.observe import envoy

#: Seconds that a rule may need to arrive.
PATIENCE = 15.0


def counters(cluster: Cluster, pod: str, pattern: str, namespace: str = "") -> envoy.Counters:
    """The counters of a pod's Envoy whose names fit a regular expression.

    :param pod: as for ``kubectl exec``: ``deploy/fortio-deploy``, or a pod's name.
    """
    return envoy.counters(ask(cluster, pod, namespace), pattern)


def routes(
    cluster: Cluster, pod: str, host: str, namespace: str = "", *, expect: str = ""
) -> envoy.Routes:
    """The routes that a pod's Envoy has for requests to a host, in the order in which it tries them.

    :param expect: wait some seconds until this text is among them (a rule needs a moment to arrive).
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        found = envoy.routes(ask(cluster, pod, namespace), host)
        if expect in repr(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def ask(cluster: Cluster, pod: str, namespace: str = "") -> envoy.Ask:
    """How to ask the Envoy of a pod."""

    def answer(path: str) -> str:
        where = ("-n", namespace or cluster.namespace)
        command = ("pilot-agent", "request", "GET", path)
        done = front.run(cluster, ["exec", *where, pod, "-c", "istio-proxy", "--", *command])
        if done.code:
            raise MeshcourseError(
                f"the Envoy of {pod} does not answer: {done.output.strip()}",
                remedy="Does it have one? `%kubectl get pods` says 2/2.",
            )
        return done.output

    return answer
