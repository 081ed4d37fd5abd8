"""Shapes that only real Istio has: listeners by address, one inbound listener, identities in filter state."""

from __future__ import annotations

from typing import Any

from meshcourse import simulate
from meshcourse.simulate import Config, Request

_HTTP = "type.googleapis.com/envoy.extensions.filters.http"


def manager(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "envoy.filters.network.http_connection_manager", "typed_config": more}]


def listener(
    name: str, host: str, port: int, *chains: dict[str, Any], **more: Any
) -> dict[str, Any]:
    socket = {"socket_address": {"address": host, "port_value": port}}
    return {"name": name, "address": socket, "filter_chains": list(chains), **more}


def routes(name: str, domain: str, cluster: str) -> dict[str, Any]:
    found = [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}]
    return {"name": name, "virtual_hosts": [{"name": domain, "domains": [domain], "routes": found}]}


def cluster(name: str, address: str) -> dict[str, Any]:
    socket = {"socket_address": {"address": address, "port_value": 9080}}
    lb = [{"endpoint": {"address": socket}}]
    return {"name": name, "load_assignment": {"endpoints": [{"lb_endpoints": lb}]}}


def test_a_listener_is_found_by_the_original_destination() -> None:
    passthrough = {"filters": [{"name": "tcp", "typed_config": {"cluster": "PassthroughCluster"}}]}
    config = Config(
        clusters={
            "reviews": cluster("reviews", "10.0.0.9"),
            "mysql": cluster("mysql", "10.0.0.8"),
            "PassthroughCluster": {"name": "PassthroughCluster", "cluster_type": {}},
        },
        listeners={
            "virtualOutbound": listener(
                "virtualOutbound", "0.0.0.0", 15001, passthrough, use_original_dst=True
            ),
            "0.0.0.0_9080": listener(
                "0.0.0.0_9080",
                "0.0.0.0",
                9080,
                {"filters": manager(rds={"route_config_name": "9080"})},
            ),
            "10.96.0.7_3306": listener(
                "10.96.0.7_3306",
                "10.96.0.7",
                3306,
                {"filters": [{"name": "tcp", "typed_config": {"cluster": "mysql"}}]},
            ),
        },
        routes={"9080": routes("9080", "reviews:9080", "reviews")},
    )
    http = simulate.outbound(config, Request("reviews:9080"), "10.96.0.5:9080")
    assert http.endpoints == {"reviews": ("10.0.0.9:9080",)}
    assert http.step("listener") == "0.0.0.0_9080"
    tcp = simulate.outbound(config, Request("mysql:3306"), "10.96.0.7:3306")
    assert tcp.clusters == {"mysql": 100.0}
    other = simulate.outbound(config, Request("example.com"), "93.184.216.34:80")
    assert other.clusters == {"PassthroughCluster": 100.0}


def inbound_config(action: str) -> Config:
    rules = {
        "action": action,
        "policies": {
            "ns[default]-policy[web]-rule[0]": {
                "permissions": [{"any": True}],
                "principals": [
                    {
                        "filter_state": {
                            "key": "io.istio.peer_principal",
                            "string_match": {"exact": "spiffe://cluster.local/ns/default/sa/web"},
                        }
                    }
                ],
            }
        },
    }
    rbac = {
        "name": "envoy.filters.http.rbac",
        "typed_config": {"@type": f"{_HTTP}.rbac.v3.RBAC", "rules": rules},
    }
    chain = {
        "name": "0.0.0.0_9080",
        "filter_chain_match": {
            "destination_port": 9080,
            "transport_protocol": "tls",
            "application_protocols": ["istio-http/1.1"],
        },
        "filters": manager(
            http_filters=[rbac], route_config=routes("inbound|9080||", "*", "inbound|9080||")
        ),
    }
    return Config(
        clusters={"inbound|9080||": cluster("inbound|9080||", "127.0.0.1")},
        listeners={
            "virtualInbound": listener(
                "virtualInbound", "0.0.0.0", 15006, chain, traffic_direction="INBOUND"
            )
        },
    )


def test_one_inbound_listener_with_a_chain_for_each_port() -> None:
    web = Request("reviews", principal="spiffe://cluster.local/ns/default/sa/web")
    other = Request("reviews", principal="spiffe://cluster.local/ns/default/sa/other")
    assert simulate.inbound(inbound_config("ALLOW"), web, 9080).ok
    assert simulate.inbound(inbound_config("ALLOW"), other, 9080).status == 403
    denied = simulate.inbound(inbound_config("DENY"), web, 9080)
    assert denied.failure == "RBAC: denied by AuthorizationPolicy web in default (rule 0)"
    assert simulate.inbound(inbound_config("ALLOW"), web, 9081).flag == "NR"
