from __future__ import annotations

from typing import Any

import pytest

from meshcourse.cluster import embedded, reach
from meshcourse.cluster.cluster import Cluster, container_port
from meshcourse.cluster.errors import ClusterError
from tests.unit.cluster.conftest import FakeProvider
from tests.unit.cluster.fake_api import FakeApi
from tests.unit.cluster.test_waiting import ready_pod

GATEWAY = [
    {"name": "status-port", "port": 15021},
    {"name": "http2", "port": 80, "targetPort": 8080},
    {"name": "https", "port": 443},
]


def service(*ports: dict[str, Any], **more: Any) -> Any:
    return {"metadata": {"name": "s"}, "spec": {"ports": list(ports)}, **more}


@pytest.mark.parametrize(
    ("ports", "wanted", "number", "scheme"),
    [
        (GATEWAY, None, 80, "http"),
        (GATEWAY, "https", 443, "https"),
        (GATEWAY, 15021, 15021, "http"),
        ([{"port": 9080, "name": "http"}], None, 9080, "http"),
        ([{"port": 5000}, {"port": 80}], None, 80, "http"),
        ([{"port": 20001, "name": "tcp"}], None, 20001, "http"),
    ],
)
def test_the_port_that_speaks_http_is_chosen(
    ports: list[dict[str, Any]], wanted: int | str | None, number: int, scheme: str
) -> None:
    found = reach.choose(service(*ports), wanted)
    assert (found.number, found.scheme) == (number, scheme)


def test_a_port_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(ClusterError, match="no port 99") as error:
        reach.choose(service(*GATEWAY), 99)
    assert "80 (http2)" in error.value.remedy


@pytest.mark.parametrize(
    ("number", "host", "path", "url"),
    [
        (80, "10.0.0.1", "", "http://10.0.0.1"),
        (9080, "10.0.0.1", "/x", "http://10.0.0.1:9080/x"),
        (9080, "10.0.0.1", "x?y=1", "http://10.0.0.1:9080/x?y=1"),
        (9080, "::1", "", "http://[::1]:9080"),
    ],
)
def test_urls_say_no_more_than_needed(number: int, host: str, path: str, url: str) -> None:
    assert reach.url(reach.Port("http", 80, 80), host, number, path) == url


def test_the_embedded_cluster_is_reached_at_its_own_addresses() -> None:
    provider = embedded.Embedded("test")
    plain = service(spec={"clusterIP": "127.70.200.5"})
    assert provider.direct(plain, 9080) == ("127.70.200.5", 9080)
    balanced = {**plain, "status": {"loadBalancer": {"ingress": [{"ip": "127.70.240.1"}]}}}
    assert provider.direct(balanced, 80) == ("127.70.240.1", 80)
    mapped = '{"clusterIP": "127.0.0.1", "ports": {"9080": 40123}}'
    plain["metadata"]["annotations"] = {"meshcourse.io/addresses": mapped}
    assert provider.direct(plain, 9080) == ("127.0.0.1", 40123)
    assert provider.direct(service(spec={"clusterIP": "None"}), 80) is None


def test_a_service_is_found_in_its_namespace_or_wherever_it_is(
    api: FakeApi, cluster: Cluster
) -> None:
    provider = cluster.provider
    assert isinstance(provider, FakeProvider)
    provider.addresses = {"reviews": ("10.0.0.9", 9080), "gw": ("10.0.0.8", 80)}
    api.put("/api/v1/namespaces/default/services/reviews", spec={"ports": [{"port": 9080}]})
    api.put("/api/v1/namespaces/other/services/reviews", spec={"ports": [{"port": 1}]})
    api.put("/api/v1/namespaces/istio-system/services/gw", spec={"ports": GATEWAY})
    assert cluster.url("reviews", path="/reviews/0") == "http://10.0.0.9:9080/reviews/0"
    assert cluster.url("gw") == "http://10.0.0.8"
    assert cluster.service("reviews.other.svc")["metadata"]["namespace"] == "other"
    with pytest.raises(ClusterError, match='no service "nothing"'):
        cluster.url("nothing")


def test_two_services_of_one_name_elsewhere_must_be_told_apart(
    api: FakeApi, cluster: Cluster
) -> None:
    for namespace in ("a", "b"):
        api.put(f"/api/v1/namespaces/{namespace}/services/web", spec={"ports": [{"port": 80}]})
    with pytest.raises(ClusterError, match="exists in a, b"):
        cluster.service("web")


def test_a_pod_that_is_ready_stands_behind_a_port_forward(api: FakeApi, cluster: Cluster) -> None:
    port = reach.Port("http", 80, 8080)
    api.put("/api/v1/namespaces/default/services/web", spec={"selector": {"app": "web"}})
    ready_pod(api, "web-1", ready=False, app="web")
    with pytest.raises(ClusterError, match="no ready pod"):
        cluster.pick("default", "web", port)
    ready_pod(api, "web-2", app="web")
    assert cluster.pick("default", "web", port) == ("default", "web-2", 8080)


def test_named_ports_are_looked_up_in_the_pod() -> None:
    ports = [{"name": "web", "containerPort": 81}]
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "ports": ports}]}}
    assert container_port(pod, "web") == 81
    with pytest.raises(ClusterError, match='no port called "other"'):
        container_port(pod, "other")


HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("http://127.125.240.1/productpage", "/user/ada/proxy/127.125.240.1:80/productpage"),
        ("http://127.0.0.1:30007/a?b=1&c=2", "/user/ada/proxy/30007/a?b=1&c=2"),
        ("http://localhost:9080", "/user/ada/proxy/9080/"),
        ("http://203.0.113.7/productpage", "http://203.0.113.7/productpage"),
        ("https://127.125.240.1/", "https://127.125.240.1/"),
        ("http://shop.example.com/", "http://shop.example.com/"),
    ],
)
def test_links_in_a_hub_lead_through_its_proxy(
    url: str, opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "_proxied", lambda: True)
    assert reach.clickable(url, HUB) == opened
    assert reach.clickable(url, {}) == url


def test_links_stay_as_they_are_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_proxied", lambda: False)
    assert reach.clickable("http://127.0.0.1:80/", HUB) == "http://127.0.0.1:80/"
