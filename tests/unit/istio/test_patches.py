"""EnvoyFilter: merging, operations on lists, contexts and conditions, sharing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.istio.model import Json, Resources
from meshcourse.embedded.istio.patches import merging
from tests.unit.istio import envoy
from tests.unit.istio.mesh import BOOKINFO_GATEWAY, Mesh, bookinfo

REVIEWS = "reviews-v1-5d8f-3"
GATEWAY = "istio-ingressgateway-v1-5d8f-7"
CLUSTER = "outbound|9080||reviews.default.svc.cluster.local"


def envoy_filter(patches: str, name: str = "p", namespace: str = "default", **spec: Any) -> str:
    extra = "".join(f", {key}: {value}" for key, value in spec.items())
    return f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{configPatches: {patches}{extra}}}
"""


def lua(name: str = "mine", code: str = "function envoy_on_request(h) end") -> str:
    config = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    source = f"{{inline_string: '{code}'}}"
    typed = f"{{'@type': {config}, default_source_code: {source}}}"
    return f"{{name: {name}, typed_config: {typed}}}"


ROUTER = "subFilter: {name: envoy.filters.http.router}"


def http_filter(operation: str, context: str, value: str, sub: str = "", port: str = "") -> str:
    manager = "name: envoy.filters.network.http_connection_manager"
    condition = f"filterChain: {{filter: {{{manager}{', ' + sub if sub else ''}}}}}"
    listener = f"{{{port}{condition}}}"
    return (
        f"{{applyTo: HTTP_FILTER, match: {{context: {context}, listener: {listener}}}, "
        f"patch: {{operation: {operation}, value: {value}}}}}"
    )


def filters(resources: Resources, listener: str) -> list[list[str]]:
    """The HTTP filters of each filter chain by name."""
    return [
        [str(one["name"]) for one in network["typed_config"]["http_filters"]]
        for chain in resources.listeners[listener]["filter_chains"]
        for network in chain["filters"]
        if "http_filters" in network["typed_config"]
    ]


@pytest.mark.parametrize(
    ("operation", "sub", "place"),
    [
        ("INSERT_BEFORE", ROUTER, -2),
        ("INSERT_FIRST", "", 0),
        ("INSERT_BEFORE", "", 0),
        ("INSERT_AFTER", "subFilter: {name: envoy.filters.http.fault}", -3),
        ("INSERT_BEFORE", "subFilter: {name: envoy.filters.http.jwt_authn}", 5),
        ("REPLACE", "subFilter: {name: envoy.filters.http.cors}", -2),
    ],
)
def test_where_http_filters_go(operation: str, sub: str, place: int) -> None:
    mesh = bookinfo()
    mesh.apply(envoy_filter(f"[{http_filter(operation, 'SIDECAR_INBOUND', lua(), sub)}]"))
    found = filters(mesh.resources(REVIEWS), "virtualInbound_9080")
    assert len(found) == 2
    plain = found[1]
    assert plain[place] == "mine"
    if operation == "REPLACE":
        assert "envoy.filters.http.cors" not in plain


def test_contexts_and_selectors() -> None:
    mesh = bookinfo()
    selector = "{labels: {app: reviews}}"
    mesh.apply(
        envoy_filter(
            f"[{http_filter('INSERT_FIRST', 'SIDECAR_OUTBOUND', lua())}]", workloadSelector=selector
        )
    )
    chosen, other = mesh.resources(REVIEWS), mesh.resources("ratings-v1-5d8f-6")
    assert filters(chosen, "virtualOutbound")[0][0] == "mine"
    assert filters(chosen, "capture")[0][0] == "mine"
    assert "mine" not in str(filters(chosen, "virtualInbound_9080"))
    assert "mine" not in str(filters(other, "virtualOutbound"))


def test_added_filters_are_off_for_tunnels_into_the_capture_listener() -> None:
    mesh = bookinfo()
    mesh.apply(envoy_filter(f"[{http_filter('INSERT_FIRST', 'SIDECAR_OUTBOUND', lua())}]"))
    hosts = {
        host["name"]: host for host in mesh.resources(REVIEWS).routes["outbound"]["virtual_hosts"]
    }
    tunnel, plain = hosts["ratings.default.svc.cluster.local:9080"]["routes"][:2]
    assert tunnel["typed_per_filter_config"]["mine"]["disabled"] is True
    assert "mine" not in plain.get("typed_per_filter_config", {})


def test_a_port_selects_an_inbound_listener() -> None:
    mesh = bookinfo()
    for port, expected in (("9080", True), ("1234", False)):
        patch = http_filter("INSERT_FIRST", "ANY", lua(), port=f"portNumber: {port}, ")
        mesh.apply(envoy_filter(f"[{patch}]", workloadSelector="{labels: {app: reviews}}"))
        found = filters(mesh.resources(REVIEWS), "virtualInbound_9080")
        assert ("mine" in found[0]) is expected


def test_priority_and_the_root_namespace_decide_on_order() -> None:
    mesh = bookinfo()
    for name, namespace, priority in (
        ("own", "default", 0),
        ("late", "default", 5),
        ("root", "istio-system", 0),
        ("early", "default", -5),
    ):
        patch = http_filter("ADD", "SIDECAR_INBOUND", lua(name))
        mesh.apply(envoy_filter(f"[{patch}]", name, namespace, priority=priority))
    names = filters(mesh.resources(REVIEWS), "virtualInbound_9080")[0]
    assert names[-4:] == ["early", "root", "own", "late"]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("{proxy: {proxyVersion: '^1\\.30.*'}}", True),
        ("{proxy: {proxyVersion: '^1\\.20.*'}}", False),
        ("{proxy: {metadata: {NAMESPACE: default}}}", True),
        ("{proxy: {metadata: {NAMESPACE: other}}}", False),
    ],
)
def test_proxies_that_a_patch_means(match: str, expected: bool) -> None:
    mesh = bookinfo()
    value = "{operation: MERGE, value: {connect_timeout: 9s}}"
    mesh.apply(envoy_filter(f"[{{applyTo: CLUSTER, match: {match}, patch: {value}}}]"))
    timeout = mesh.resources(REVIEWS).clusters[CLUSTER]["connect_timeout"]
    assert (timeout == "9s") is expected


@pytest.mark.parametrize(
    ("match", "touched"),
    [
        ("{service: reviews.default.svc.cluster.local}", [CLUSTER, "inbound|9080||"]),
        ("{service: reviews.default.svc.cluster.local, portNumber: 80}", []),
        (f"{{name: '{CLUSTER}'}}", [CLUSTER]),
        (
            "{portNumber: 9080, service: ratings.default.svc.cluster.local}",
            [CLUSTER.replace("reviews", "ratings")],
        ),
    ],
)
def test_clusters_that_a_patch_means(match: str, touched: list[str]) -> None:
    mesh = bookinfo()
    patch = f"{{applyTo: CLUSTER, match: {{cluster: {match}}}, patch: {{operation: REMOVE}}}}"
    before = mesh.resources(REVIEWS).clusters
    mesh.apply(envoy_filter(f"[{patch}]"))
    after = mesh.resources(REVIEWS).clusters
    assert sorted(set(before) - set(after)) == sorted(touched)


def test_transport_sockets_by_endpoint_are_merged_into() -> None:
    mesh = bookinfo()
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    socket = f"{{name: envoy.transport_sockets.tls, typed_config: {{'@type': {kind}, sni: mine}}}}"
    patch = (
        f"{{applyTo: CLUSTER, match: {{cluster: {{name: '{CLUSTER}'}}}}, "
        f"patch: {{operation: MERGE, value: {{transport_socket: {socket}}}}}}}"
    )
    mesh.apply(envoy_filter(f"[{patch}]"))
    cluster = mesh.resources(REVIEWS).clusters[CLUSTER]
    config = cluster["transport_socket_matches"][0]["transport_socket"]["typed_config"]
    assert config["sni"] == "mine"
    assert "common_tls_context" in config
    assert "transport_socket" not in cluster


def test_added_clusters_find_services_without_dns() -> None:
    mesh = bookinfo()
    address = "{address: ratings.default.svc.cluster.local, port_value: 9080}"
    endpoint = f"{{endpoint: {{address: {{socket_address: {address}}}}}}}"
    assignment = f"{{cluster_name: mine, endpoints: [{{lb_endpoints: [{endpoint}]}}]}}"
    value = f"{{name: mine, type: STRICT_DNS, load_assignment: {assignment}}}"
    patch = f"{{applyTo: CLUSTER, patch: {{operation: ADD, value: {value}}}}}"
    mesh.apply(envoy_filter(f"[{patch}]"))
    cluster = mesh.resources(REVIEWS).clusters["mine"]
    (found,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert found["endpoint"]["address"]["socket_address"] == {
        "address": "127.66.200.4",
        "port_value": 9080,
    }


def test_added_listeners_do_not_leave_the_pods_address() -> None:
    mesh = bookinfo()
    address = "{socket_address: {address: 0.0.0.0, port_value: 7000}}"
    value = f"{{name: mine, address: {address}, filter_chains: []}}"
    patch = (
        "{applyTo: LISTENER, match: {context: SIDECAR_INBOUND}, "
        f"patch: {{operation: ADD, value: {value}}}}}"
    )
    mesh.apply(envoy_filter(f"[{patch}]"))
    listener = mesh.resources(REVIEWS).listeners["mine"]
    assert listener["address"]["socket_address"]["address"] == "127.66.0.3"


def hosts(resources: Resources, route: str) -> dict[str, Json]:
    return {one["name"]: one for one in resources.routes[route]["virtual_hosts"]}


def test_routes_and_virtual_hosts() -> None:
    mesh = bookinfo()
    mesh.apply(BOOKINFO_GATEWAY)
    limits = "{rate_limits: [{actions: [{request_headers: {header_name: ':path', descriptor_key: PATH}}]}]}"
    whole = (
        "{applyTo: VIRTUAL_HOST, match: {context: GATEWAY, routeConfiguration: "
        "{vhost: {name: '', route: {action: ANY}}}}, "
        f"patch: {{operation: MERGE, value: {limits}}}}}"
    )
    added = (
        "{applyTo: HTTP_ROUTE, match: {context: GATEWAY, routeConfiguration: {portNumber: 80}}, "
        "patch: {operation: INSERT_FIRST, value: "
        "{name: first, match: {path: /x}, direct_response: {status: 299}}}}"
    )
    other = added.replace("80}", "81}").replace("first", "never")
    mesh.apply(
        envoy_filter(
            f"[{whole}, {added}, {other}]",
            namespace="istio-system",
            workloadSelector="{labels: {istio: ingressgateway}}",
        )
    )
    host = hosts(mesh.resources(GATEWAY, "istio-system"), "http.8080")["*:80"]
    assert len(host["rate_limits"]) == 1
    assert [one.get("name") for one in host["routes"]][:1] == ["first"]
    assert "never" not in str(host)


def test_inbound_routes_are_merged_into() -> None:
    mesh = bookinfo()
    limits = "[{actions: [{remote_address: {}}]}]"
    config = "{envoy.filters.http.x: {'@type': a/b.C, stat_prefix: y}}"
    patch = (
        "{applyTo: HTTP_ROUTE, match: {context: SIDECAR_INBOUND, routeConfiguration: "
        "{vhost: {name: 'inbound|http|9080', route: {action: ANY}}}}, patch: {operation: MERGE, "
        f"value: {{route: {{rate_limits: {limits}}}, typed_per_filter_config: {config}}}}}}}"
    )
    mesh.apply(envoy_filter(f"[{patch}]"))
    (route,) = hosts(mesh.resources(REVIEWS), "inbound|9080||")["inbound|http|9080"]["routes"]
    assert route["route"]["rate_limits"] == [{"actions": [{"remote_address": {}}]}]
    assert route["route"]["cluster"] == "inbound|9080||"
    assert route["typed_per_filter_config"]["envoy.filters.http.x"]["stat_prefix"] == "y"


def test_outbound_virtual_hosts_by_port() -> None:
    mesh = bookinfo()
    mesh.service("web", 80)
    patch = (
        "{applyTo: VIRTUAL_HOST, match: {context: SIDECAR_OUTBOUND, "
        "routeConfiguration: {portNumber: 9080}}, patch: {operation: MERGE, "
        "value: {response_headers_to_remove: [x]}}}"
    )
    mesh.apply(envoy_filter(f"[{patch}]"))
    found = hosts(mesh.resources(REVIEWS), "outbound")
    assert "response_headers_to_remove" in found["ratings.default.svc.cluster.local:9080"]
    assert "response_headers_to_remove" not in found["web.default.svc.cluster.local:80"]


def test_untouched_objects_stay_shared_and_patched_ones_are_shared_too() -> None:
    mesh = bookinfo()
    plain = mesh.resources(REVIEWS)
    mesh.apply(envoy_filter(f"[{http_filter('INSERT_FIRST', 'SIDECAR_OUTBOUND', lua())}]"))
    one, two = mesh.resources(REVIEWS), mesh.resources("ratings-v1-5d8f-6")
    assert one.clusters[CLUSTER] is plain.clusters[CLUSTER]
    assert one.listeners["virtualInbound_9080"] is plain.listeners["virtualInbound_9080"]
    assert one.routes["outbound"] is two.routes["outbound"]
    assert mesh.resources(REVIEWS).listeners["capture"] is one.listeners["capture"]


LOCAL_LIMIT = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


def test_envoy_accepts_patched_configuration(tmp_path: Path) -> None:
    mesh = bookinfo()
    mesh.apply(BOOKINFO_GATEWAY)
    wrapped = (
        "{name: envoy.filters.http.local_ratelimit, typed_config: {'@type': "
        f"type.googleapis.com/udpa.type.v1.TypedStruct, type_url: {LOCAL_LIMIT}, "
        "value: {stat_prefix: http_local_rate_limiter}}}"
    )
    route = (
        "{applyTo: HTTP_ROUTE, match: {context: SIDECAR_INBOUND}, patch: {operation: MERGE, "
        "value: {typed_per_filter_config: {envoy.filters.http.local_ratelimit: "
        f"{{'@type': {LOCAL_LIMIT}, stat_prefix: x, token_bucket: "
        "{max_tokens: 4, tokens_per_fill: 4, fill_interval: 60s}}}}}}"
    )
    found = (
        http_filter("INSERT_BEFORE", "SIDECAR_INBOUND", wrapped),
        http_filter("INSERT_BEFORE", "SIDECAR_OUTBOUND", lua(), ROUTER),
        http_filter("INSERT_BEFORE", "GATEWAY", lua(), ROUTER),
        route,
    )
    mesh.apply(envoy_filter(f"[{', '.join(found)}]", namespace="istio-system"))
    for pod, namespace in ((REVIEWS, "default"), (GATEWAY, "istio-system")):
        assert envoy.complaint(mesh.resources(pod, namespace), tmp_path) == ""


_SCALARS = st.one_of(st.integers(0, 9), st.sampled_from(["x", "y"]), st.booleans())
_MESSAGES = st.recursive(
    _SCALARS,
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.sampled_from("abcd"), _MESSAGES, max_size=4)


@given(_OBJECTS, _OBJECTS)
def test_merging_takes_what_the_patch_says_and_keeps_the_rest(base: Json, patch: Json) -> None:
    result = merging.merged(base, patch)
    assert merging.merged(result, patch) == result
    assert merging.merged(base, {}) == base
    assert set(result) == set(base) | set(patch)
    for key, value in patch.items():
        if not isinstance(value, dict):
            assert result[key] == value
    for key in set(base) - set(patch):
        assert result[key] == base[key]


def test_merging_lists_names_and_alternatives() -> None:
    base = {"route": {"cluster": "a", "timeout": "1s"}, "items": [1], "snake_case": 1}
    patch = {"route": {"weightedClusters": {}}, "items": [2], "snakeCase": 2}
    assert merging.merged(base, patch) == {
        "route": {"timeout": "1s", "weightedClusters": {}},
        "items": [1, 2],
        "snake_case": 2,
    }
    assert merging.merged(base, {"direct_response": {"status": 200}}) == {
        "direct_response": {"status": 200},
        "items": [1],
        "snake_case": 1,
    }


def test_a_mesh_without_filters_is_not_copied() -> None:
    mesh: Mesh = bookinfo()
    assert mesh.resources(REVIEWS).routes["outbound"] is mesh.resources(REVIEWS).routes["outbound"]
