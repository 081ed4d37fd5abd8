"""The clients of the add-ons of one cluster: where each of them is found."""

from __future__ import annotations

from meshcourse.cluster.cluster import Cluster
from meshcourse.observe.grafana import Grafana
from meshcourse.observe.jaeger import Jaeger
from meshcourse.observe.kiali import Kiali
from meshcourse.observe.prometheus import Prometheus

NAMESPACE = "istio-system"


def prometheus(cluster: Cluster) -> Prometheus:
    return Prometheus(lambda: cluster.url("prometheus", namespace=NAMESPACE))


def grafana(cluster: Cluster) -> Grafana:
    return Grafana(lambda: cluster.url("grafana", namespace=NAMESPACE))


def jaeger(cluster: Cluster) -> Jaeger:
    return Jaeger(lambda: cluster.url("tracing", namespace=NAMESPACE, path="/jaeger"))


def kiali(cluster: Cluster) -> Kiali:
    return Kiali(lambda: cluster.url("kiali", "http", namespace=NAMESPACE, path="/kiali"))
