"""Names of fields as istioctl prints them; protobuf's own conversion is the judge."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format, message_factory

from meshcourse.embedded.istioctl import protojson
from meshcourse.embedded.istioctl.main import main
from meshcourse.embedded.istiod.ca import authority
from meshcourse.embedded.istiod.xds import descriptors

Json = dict[str, Any]
TYPES = "type.googleapis.com/"
ADMIN = TYPES + "envoy.admin.v3."
EXTENSION = TYPES + "envoy.config.core.v3.TypedExtensionConfig"
HTTP = TYPES + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

ROUTE: Json = {
    "name": "9080",
    "virtual_hosts": [
        {
            "name": "reviews.default.svc.cluster.local:9080",
            "domains": ["reviews", "reviews:9080"],
            "include_request_attempt_count": True,
            "typed_per_filter_config": {
                "envoy.filters.http.local_ratelimit": {
                    "@type": TYPES
                    + "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                    "stat_prefix": "some_prefix",
                    "token_bucket": {"max_tokens": 4, "fill_interval": "60s"},
                },
                "of_a_stranger": {
                    "@type": TYPES + "google.protobuf.Struct",
                    "value": {"snake_case": {"stays_so": 1}},
                },
            },
            "routes": [
                {
                    "match": {"prefix": "/", "case_sensitive": True},
                    "metadata": {
                        "filter_metadata": {"istio": {"config_of": "/apis", "a_list": [{"b_c": 1}]}}
                    },
                    "route": {
                        "weighted_clusters": {"clusters": [{"name": "some_name", "weight": 100}]},
                        "timeout": "0s",
                        "max_grpc_timeout": "0s",
                        "retry_policy": {
                            "retry_on": "connect-failure",
                            "num_retries": 2,
                            "retry_host_predicate": [
                                {
                                    "name": "envoy.retry_host_predicates.previous_hosts",
                                    "typed_config": {
                                        "@type": TYPES
                                        + "envoy.extensions.retry.host.previous_hosts.v3."
                                        "PreviousHostsPredicate"
                                    },
                                }
                            ],
                        },
                    },
                }
            ],
        }
    ],
    "max_direct_response_body_size_bytes": 1048576,
    "validate_clusters": False,
}

LISTENER: Json = {
    "name": "0.0.0.0_9080",
    "address": {"socket_address": {"address": "0.0.0.0", "port_value": 9080}},
    "filter_chains": [
        {
            "filter_chain_match": {"application_protocols": ["http/1.1", "h2c"]},
            "filters": [
                {
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": {
                        "@type": HTTP,
                        "stat_prefix": "outbound_0.0.0.0_9080",
                        "rds": {
                            "config_source": {"ads": {}, "initial_fetch_timeout": "0s"},
                            "route_config_name": "9080",
                        },
                        "http_filters": [
                            {
                                "name": "istio_like",
                                "typed_config": {
                                    "@type": TYPES + "udpa.type.v1.TypedStruct",
                                    "type_url": TYPES + "some.Type",
                                    "value": {"in_a_struct": True},
                                },
                            }
                        ],
                        "stream_idle_timeout": "0s",
                    },
                }
            ],
        }
    ],
    "listener_filters_timeout": "0s",
    "continue_on_listener_filters_timeout": True,
    "traffic_direction": "OUTBOUND",
}

STATUS: Json = {
    "name": "outbound|9080||reviews.default.svc.cluster.local",
    "added_via_api": True,
    "host_statuses": [
        {
            "address": {"socket_address": {"address": "10.0.0.1", "port_value": 9080}},
            "stats": [{"name": "cx_active"}, {"type": "GAUGE", "value": "7", "name": "rq_active"}],
            "health_status": {"eds_health_status": "HEALTHY"},
            "locality": {"sub_zone": "a_b"},
        }
    ],
    "circuit_breakers": {"thresholds": [{"max_connections": 4294967295}]},
}

CHAIN = authority.create(dt.datetime.now(dt.UTC)).root
SECRETS: Json = {
    "@type": ADMIN + "SecretsConfigDump",
    "dynamic_active_secrets": [
        {
            "name": "default",
            "last_updated": "2026-01-02T01:00:00Z",
            "secret": {
                "@type": TYPES + "envoy.extensions.transport_sockets.tls.v3.Secret",
                "name": "default",
                "tls_certificate": {
                    "certificate_chain": {"inline_string": CHAIN},
                    "private_key": {"inline_string": "[redacted]"},
                },
            },
        }
    ],
}


def as_protobuf_has_it(name: str, value: Json) -> Json:
    empty = message_factory.GetMessageClass(descriptors.find(name))()
    return dict(json_format.MessageToDict(json_format.ParseDict(value, empty)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("config.route.v3.RouteConfiguration", ROUTE), ("admin.v3.ClusterStatus", STATUS)],
)
def test_a_message_as_protobuf_itself_writes_it(name: str, value: Json) -> None:
    full_name = f"envoy.{name}"
    ours = protojson.message(full_name, value)
    assert ours == as_protobuf_has_it(full_name, value)
    assert ours != value
    assert protojson.messages(full_name, [value, {}]) == [ours, {}]


def test_filters_within_filters() -> None:
    ours = protojson.message("envoy.config.listener.v3.Listener", LISTENER)
    [chain] = ours["filterChains"]
    assert chain["filterChainMatch"] == {"applicationProtocols": ["http/1.1", "h2c"]}
    manager = chain["filters"][0]["typedConfig"]
    assert list(manager) == ["@type", "statPrefix", "rds", "httpFilters", "streamIdleTimeout"]
    assert manager["rds"]["configSource"] == {"ads": {}, "initialFetchTimeout": "0s"}
    [inner] = manager["httpFilters"]
    assert inner["typedConfig"]["typeUrl"] == TYPES + "some.Type"
    assert inner["typedConfig"]["value"] == {"in_a_struct": True}


@pytest.mark.parametrize("kind", ["envoy.no_such.v3.Type", "os.path", "", "istio.Filter"])
def test_what_is_unknown_stays_as_it_is(kind: str) -> None:
    stranger = {"@type": TYPES + kind, "stat_prefix": {"a_b": 1}}
    cluster = {"alt_stat_name": "x", "not_a_field": {"c_d": 2}}
    typed = {**cluster, "cluster_type": {"name": "n", "typed_config": stranger}}
    assert protojson.message("envoy.config.cluster.v3.Cluster", typed) == {
        "altStatName": "x",
        "not_a_field": {"c_d": 2},
        "clusterType": {"name": "n", "typedConfig": stranger},
    }
    assert protojson.message(kind, stranger) == {"stat_prefix": {"a_b": 1}}


def test_converting_twice_changes_nothing() -> None:
    once = protojson.message("envoy.config.listener.v3.Listener", LISTENER)
    assert protojson.message("envoy.config.listener.v3.Listener", once) == once


def dumped() -> Json:
    """A config dump with one of each kind."""
    cluster = {
        "@type": TYPES + "envoy.config.cluster.v3.Cluster",
        "name": "x",
        "lb_policy": "RANDOM",
    }
    wasm = {"@type": TYPES + "envoy.extensions.filters.http.wasm.v3.Wasm", "config": {}}
    extension = {"@type": EXTENSION, "name": "w", "typed_config": wasm}
    parts: Json = {
        "ClustersConfigDump": {"static_clusters": [{"cluster": cluster}]},
        "ListenersConfigDump": {"dynamic_listeners": [{"active_state": {"listener": LISTENER}}]},
        "RoutesConfigDump": {"dynamic_route_configs": [{"route_config": ROUTE}]},
        "SecretsConfigDump": SECRETS,
        "BootstrapConfigDump": {"bootstrap": {"node": {"user_agent_name": "envoy"}}},
        "EcdsConfigDump": {"ecds_filters": [{"version_info": "1", "ecds_filter": extension}]},
    }
    return {"configs": [{"@type": ADMIN + name, **part} for name, part in parts.items()]}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(dumped() | {"cluster_statuses": [STATUS]}))
    return str(path)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("cluster", [{"name": "x", "lbPolicy": "RANDOM"}]),
        ("route", [protojson.message("envoy.config.route.v3.RouteConfiguration", ROUTE)]),
        ("listener", [protojson.message("envoy.config.listener.v3.Listener", LISTENER)]),
        ("endpoint", [protojson.message("envoy.admin.v3.ClusterStatus", STATUS)]),
        ("bootstrap", {"bootstrap": {"node": {"userAgentName": "envoy"}}}),
        (
            "ecds",
            {
                "ecdsFilters": [
                    {
                        "versionInfo": "1",
                        "ecdsFilter": {
                            "@type": EXTENSION,
                            "name": "w",
                            "typedConfig": {
                                "@type": TYPES + "envoy.extensions.filters.http.wasm.v3.Wasm",
                                "config": {},
                            },
                        },
                    }
                ]
            },
        ),
    ],
)
def test_every_kind_is_printed_so(
    kind: str, wanted: Any, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["proxy-config", kind, "--file", file, "-o", "json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == wanted
    assert main(["proxy-config", kind, "--file", file, "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == wanted


def test_secrets_are_bytes_as_from_istios_agent(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["proxy-config", "secret", "--file", file, "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    [entry] = shown["dynamicActiveSecrets"]
    assert list(shown) == ["dynamicActiveSecrets"]
    assert entry["lastUpdated"] == "2026-01-02T01:00:00Z"
    assert entry["secret"]["tlsCertificate"] == {
        "certificateChain": {"inlineBytes": base64.b64encode(CHAIN.encode()).decode()},
        "privateKey": {"inlineBytes": "W3JlZGFjdGVkXQ=="},
    }


def test_all_is_envoys_own_dump_untouched(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxy-config", "all", "--file", file, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["configs"] == dumped()["configs"]
