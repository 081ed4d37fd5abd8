"""kube-proxy's view of Services and what it becomes in Envoy's configuration."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.kube.objects import Key
from meshcourse.embedded.kubelet.proxy import config, model


def service(name: str, *ports: int, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    declared = [{"name": f"p{port}", "port": port} for port in ports]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": "127.66.200.9", "ports": declared, **spec},
    }


def slice_(port: str, number: int, *endpoints: tuple[str, dict[str, bool]]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": port, "port": number}],
        "endpoints": [
            {"addresses": [ip], "conditions": conditions} for ip, conditions in endpoints
        ],
    }


READY = {"ready": True, "serving": True}
LEAVING = {"ready": False, "serving": True, "terminating": True}
BROKEN = {"ready": False, "serving": False}


def endpoints(*slices: dict[str, Any]) -> tuple[model.Address, ...]:
    view = model.view([service("web", 80)], {Key("default", "web"): list(slices)})
    return view.ports[0].endpoints


def test_ready_endpoints_of_the_port_s_name_are_used() -> None:
    found = endpoints(
        slice_("p80", 8080, ("127.66.0.2", READY), ("127.66.0.3", BROKEN)),
        slice_("p80", 9090, ("127.66.0.4", {})),
        slice_("other", 1, ("127.66.0.5", READY)),
    )
    assert found == (("127.66.0.2", 8080), ("127.66.0.4", 9090))


def test_pods_on_their_way_out_serve_when_there_is_nobody_else() -> None:
    leaving = slice_("p80", 8080, ("127.66.0.2", LEAVING), ("127.66.0.3", BROKEN))
    assert endpoints(leaving) == (("127.66.0.2", 8080),)
    both = slice_("p80", 8080, ("127.66.0.2", LEAVING), ("127.66.0.4", READY))
    assert endpoints(both) == (("127.66.0.4", 8080),)


def test_where_a_service_listens() -> None:
    balanced = service("web", 80, type="LoadBalancer")
    balanced["spec"]["ports"][0]["nodePort"] = 30080
    balanced["status"] = {"loadBalancer": {"ingress": [{"ip": "127.66.240.1"}]}}
    (port,) = model.view([balanced], {}).ports
    assert port.listen == (("127.66.200.9", 80), ("127.0.0.1", 30080), ("127.66.240.1", 80))
    balanced["metadata"]["annotations"] = {
        "meshcourse.io/addresses": '{"clusterIP": "127.66.200.9", "ports": {"80": 10080}}'
    }
    (port,) = model.view([balanced], {}).ports
    assert port.listen[0] == ("127.66.200.9", 10080)
    assert port.listen[2] == ("127.66.240.1", 10080)


def test_headless_services_and_udp_have_no_listener() -> None:
    headless = service("web", 80, clusterIP="None")
    udp = service("dns", 53)
    udp["spec"]["ports"][0]["protocol"] = "UDP"
    view = model.view([headless, udp], {})
    assert [(port.service.name, port.listen) for port in view.ports] == [("web", ())]


def domains(routes: dict[str, Any]) -> dict[str, list[str]]:
    return {host["name"]: host["domains"] for host in routes["virtual_hosts"]}


def test_names_with_and_without_port() -> None:
    view = model.view([service("web", 80, 9080)], {})
    found = domains(config.routes(view))
    assert found["default/web:9080"] == [
        "web.default:9080",
        "web.default.svc:9080",
        "web.default.svc.cluster.local:9080",
        "web.default.svc.cluster.local.:9080",
    ]
    assert "web.default.svc" in found["default/web:80"]
    assert found["web:80"] == ["web:80", "web"]
    assert found["web:9080"] == ["web:9080"]
    assert found["anything else"] == ["*"]


def test_a_short_name_means_the_caller_s_namespace() -> None:
    view = model.view([service("web", 80), service("web", 80, namespace="other")], {})
    hosts = {host["name"]: host for host in config.routes(view)["virtual_hosts"]}
    routes = [r for r in hosts["web:80"]["routes"] if "prefix" in r["match"]]
    chosen = [
        (route["match"].get("headers", [{}])[0].get("string_match"), route["route"]["cluster"])
        for route in routes
    ]
    assert chosen == [
        ({"exact": "default"}, "default/web:80"),
        ({"exact": "other"}, "other/web:80"),
        (None, "external"),
    ]


def test_no_domain_appears_twice() -> None:
    services = [
        service(name, 80, 443, namespace=namespace)
        for name in ("web", "db", "web-2")
        for namespace in ("default", "other")
    ]
    found = [d for each in domains(config.routes(model.view(services, {}))).values() for d in each]
    assert len(found) == len(set(found)) > 30


def test_an_external_name_is_looked_up_instead() -> None:
    external = service("out", type="ExternalName", externalName="example.com")
    hosts = {h["name"]: h for h in config.routes(model.view([external], {}))["virtual_hosts"]}
    literal = [
        hosts[f"default/out:{port}"]["routes"][0]["typed_per_filter_config"]["names"]
        for port in (80, 443)
    ]
    assert [each["host_rewrite_literal"] for each in literal] == ["example.com", "example.com:443"]


def test_listeners_exist_where_there_are_endpoints_and_the_address_can_be_had() -> None:
    port = model.ServicePort(
        Key("default", "web"),
        "",
        80,
        (("127.66.200.9", 80), ("127.0.0.1", 30080)),
        (("1.1.1.1", 1),),
    )
    empty = model.ServicePort(Key("default", "none"), "", 80, (("127.66.200.8", 80),))
    view = model.View((port, empty), ())
    blocked = {("127.0.0.1", 30080): "address already in use"}
    found = config.listeners(view, blocked, {"default": ("127.66.255.1", 3128)})
    assert [listener["name"] for listener in found] == [
        "default/web:80 127.66.200.9:80",
        "forward default",
    ]
    assert all(listener["enable_reuse_port"] is False for listener in found)


def test_every_cluster_that_a_route_or_listener_names_exists() -> None:
    slices = {Key("default", "web"): [slice_("p80", 8080, ("127.66.0.2", READY))]}
    view = model.view([service("web", 80), service("db", 1)], slices)
    names = {cluster["name"] for cluster in config.clusters(view)}
    used = {
        route["route"]["cluster"]
        for host in config.routes(view)["virtual_hosts"]
        for route in host["routes"]
    }
    assert used <= names
    tcp = config.listeners(view, {}, {})[0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert tcp["cluster"] in names
