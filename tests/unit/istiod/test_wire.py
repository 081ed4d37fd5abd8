"""Encoding agrees with protobuf's own, and says where a resource is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, message_factory

from meshcourse.embedded.istio import model
from meshcourse.embedded.istiod.xds import descriptors, encode, types, wire

T = types.PREFIX
ROUTER = {"@type": T + "envoy.extensions.filters.http.router.v3.Router"}
HCM = T + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

SAMPLES: dict[str, dict[str, Any]] = {
    "envoy.config.cluster.v3.Cluster": {
        "name": "outbound|9080||reviews.default.svc.cluster.local",
        "type": "EDS",
        "connect_timeout": "2.500s",
        "lb_policy": "LEAST_REQUEST",
        "eds_cluster_config": {
            "service_name": "x",
            "eds_config": {
                "ads": {},
                "resource_api_version": "V3",
                "initial_fetch_timeout": "0s",
            },
        },
        "circuit_breakers": {"thresholds": [{"max_connections": 4294967295, "max_retries": 0}]},
        "outlier_detection": {"enforcing_success_rate": 0, "interval": "0.001s"},
        "metadata": {
            "filter_metadata": {
                "istio": {"services": [{"name": "a", "n": 1.5, "b": True, "none": None}]}
            }
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": T + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {"allow_connect": False}},
            }
        },
        "respect_dns_ttl": False,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    },
    "envoy.config.route.v3.RouteConfiguration": {
        "name": "9080",
        "virtual_hosts": [
            {
                "name": "v",
                "domains": ["*", "é"],
                "routes": [
                    {
                        "match": {
                            "prefix": "/",
                            "headers": [{"name": "x", "present_match": False}],
                        },
                        "route": {
                            "weighted_clusters": {
                                "clusters": [
                                    {"name": "a", "weight": 0},
                                    {"name": "b", "weight": 100},
                                ]
                            },
                            "timeout": "0s",
                            "retry_policy": {
                                "retriable_status_codes": [503, 504],
                                "num_retries": 2,
                            },
                        },
                    }
                ],
            }
        ],
        "validate_clusters": False,
    },
    "envoy.config.listener.v3.Listener": {
        "name": "l",
        "address": {"socket_address": {"address": "127.0.0.1", "portValue": 15001}},
        "filter_chains": [
            {
                "filter_chain_match": {"destination_port": 80, "prefix_ranges": []},
                "filters": [
                    {
                        "name": "hcm",
                        "typed_config": {
                            "@type": HCM,
                            "stat_prefix": "x",
                            "http_filters": [{"name": "router", "typed_config": ROUTER}],
                            "tracing": {"random_sampling": {"value": 1.25}},
                        },
                    }
                ],
            }
        ],
        "enable_reuse_port": False,
        "traffic_direction": "INBOUND",
    },
    "envoy.extensions.transport_sockets.tls.v3.Secret": {
        "name": "s",
        "tls_certificate": {"private_key": {"inline_bytes": "AAECgA=="}},
    },
    "google.protobuf.Struct": {"deep": {"list": [1, "two", [True, None], {}]}},
    "envoy.type.v3.Int64Range": {"start": -5, "end": "9007199254740993"},
    "envoy.config.core.v3.RuntimeDouble": {"default_value": -0.5},
    "google.rpc.RetryInfo": {"retry_delay": "-1.5s"},
    "google.protobuf.Any": {"@type": T + "google.protobuf.Duration", "value": "3s"},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_agrees_with_protobuf(name: str) -> None:
    message = message_factory.GetMessageClass(descriptors.find(name))
    ours = message.FromString(wire.encode(name, SAMPLES[name]))
    theirs = json_format.ParseDict(SAMPLES[name], message())
    assert ours == theirs


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"nam": "x"}, "has no field 'nam'"),
        ({"type": "EDZ"}, "type: 'EDZ' is not one of STATIC"),
        ({"connect_timeout": "soon"}, "connect_timeout: 'soon' is not a duration"),
        ({"name": 3}, "name: 3 is not a string"),
        (
            {"circuit_breakers": {"thresholds": [{"max_retries": "x"}]}},
            "circuit_breakers: thresholds",
        ),
        ({"respect_dns_ttl": "yes"}, "respect_dns_ttl: 'yes' is not a boolean"),
        ({"lb_subset_config": []}, "lb_subset_config: [] is not an object"),
        ({"transport_socket": {"typed_config": {"@type": "t/none.Such"}}}, "unknown message type"),
    ],
)
def test_says_where_a_resource_is_wrong(resource: dict[str, Any], words: str) -> None:
    with pytest.raises(wire.EncodeError) as caught:
        wire.encode("envoy.config.cluster.v3.Cluster", resource)
    assert words in caught.value.message


def test_references_are_found_wherever_envoy_names_a_cluster() -> None:
    listener = {
        "filters": [
            {"typed_config": {"cluster": "tcp"}},
            {"grpc_service": {"envoy_grpc": {"cluster_name": "authz"}}},
            {"weighted_clusters": {"clusters": [{"name": "a"}, {"name": "b", "weight": 1}]}},
            {"request_mirror_policies": [{"cluster": "mirror"}]},
        ]
    }
    found = encode.references.clusters(listener)
    assert found == {"tcp", "authz", "a", "b", "mirror"}


def test_unchanged_resources_are_encoded_once() -> None:
    host = {"name": "h", "domains": ["*"]}
    cache = encode.ResourceCache()
    one = cache.target(
        model.Resources(routes={"r": {"name": "r", "virtual_hosts": [host]}}), "1", 0
    )
    route = one.of(types.RDS)["r"]
    cache.age()
    again = {"name": "r", "virtual_hosts": [host]}
    two = cache.target(model.Resources(routes={"r": again}), "2", 0).of(types.RDS)["r"]
    assert two is not route
    assert two.digest == route.digest
    three = cache.target(model.Resources(routes={"r": again}), "3", 0).of(types.RDS)["r"]
    assert three is two
    message = message_factory.GetMessageClass(
        descriptors.find("envoy.service.discovery.v3.DiscoveryResponse")
    ).FromString(two.chunk)
    (resource,) = message.resources
    assert resource.type_url == types.RDS


def test_a_bad_resource_is_named() -> None:
    with pytest.raises(wire.EncodeError, match=r"bad: .*no field"):
        encode.ResourceCache().target(model.Resources(clusters={"bad": {"nme": ""}}), "1", 0)


def test_a_field_that_the_protos_do_not_have_yet() -> None:
    """``stats_scope`` (6) of the statistics logger, with Scope's prefix (5) and sharing_name (6)."""
    from meshcourse.embedded.istio.build import metrics
    from meshcourse.embedded.istiod.agent import bootstrap

    body = wire.encode(
        "envoy.extensions.access_loggers.stats.v3.Config", {"stats_scope": metrics.SCOPE}
    )
    assert body == b"\x32\x13" + b"\x2a\x0awasmcustom" + b"\x32\x05istio"
    assert metrics.SCOPE == bootstrap.STATS_SCOPE
