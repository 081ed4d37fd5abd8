"""Tables of proxy-config and proxy-status from small dumps: columns, order, filters."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.istioctl.commands import proxy_status
from meshcourse.embedded.istioctl.commands.proxy_config import (
    clusters,
    dump,
    endpoints,
    listeners,
    logs,
    routes,
    secrets,
)
from meshcourse.embedded.istioctl.context import Failure
from meshcourse.embedded.istioctl.main import main
from meshcourse.embedded.istiod.ca import authority

Json = dict[str, Any]
ADMIN = "type.googleapis.com/envoy.admin.v3."
HCM = "envoy.filters.network.http_connection_manager"
TCP = "envoy.filters.network.tcp_proxy"


def options(**given: Any) -> argparse.Namespace:
    names = ("fqdn", "direction", "subset", "address", "type", "name", "cluster", "status")
    return argparse.Namespace(**{**dict.fromkeys(names, ""), "port": 0, **given})


def origin(kind: str, name: str) -> Json:
    path = f"/apis/networking.istio.io/v1/namespaces/default/{kind}/{name}"
    return {"metadata": {"filter_metadata": {"istio": {"config": path}}}}


CLUSTERS = [
    {"name": "outbound|9080|v2|reviews.default.svc.cluster.local", "type": "EDS"},
    {
        "name": "outbound|9080|v1|reviews.default.svc.cluster.local",
        "type": "EDS",
        **origin("destination-rule", "reviews"),
    },
    {"name": "inbound|9080||", "type": "STATIC"},
    {"name": "PassthroughCluster", "cluster_type": {"name": "envoy.clusters.dynamic"}},
    {"name": "xds-grpc"},
]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            {},
            [
                ["", "9080", "-", "inbound", "STATIC", ""],
                ["PassthroughCluster", "-", "-", "-", "envoy.clusters.dynamic", ""],
                [
                    "reviews.default.svc.cluster.local",
                    "9080",
                    "v1",
                    "outbound",
                    "EDS",
                    "reviews.default",
                ],
                ["reviews.default.svc.cluster.local", "9080", "v2", "outbound", "EDS", ""],
                ["xds-grpc", "-", "-", "-", "STATIC", ""],
            ],
        ),
        (
            {"subset": "v2"},
            [["reviews.default.svc.cluster.local", "9080", "v2", "outbound", "EDS", ""]],
        ),
        ({"direction": "inbound"}, [["", "9080", "-", "inbound", "STATIC", ""]]),
        ({"port": 80}, []),
    ],
)
def test_clusters(given: dict[str, Any], wanted: list[list[str]]) -> None:
    assert clusters.rows(clusters.select(CLUSTERS, options(**given))) == wanted


def address(host: str, port: int) -> Json:
    return {"address": {"socket_address": {"address": host, "port_value": port}}}


def http(**manager: Any) -> Json:
    return {"filters": [{"name": HCM, "typed_config": manager}]}


LISTENERS = [
    {
        "name": "in",
        **address("127.66.0.5", 9080),
        "filter_chains": [
            {
                "filter_chain_match": {
                    "transport_protocol": "tls",
                    "application_protocols": ["istio-http/1.1", "istio"],
                },
                **http(rds={"route_config_name": "inbound"}),
            },
            {"filters": [{"name": TCP, "typed_config": {"cluster": "inbound|9080||"}}]},
        ],
    },
    {
        "name": "out",
        **address("127.66.128.5", 15001),
        "filter_chains": [http(rds={"route_config_name": "80"})],
    },
    {
        "name": "hole",
        **address("127.66.0.5", 1),
        "filter_chains": [
            {"filters": [{"name": TCP, "typed_config": {"cluster": "BlackHoleCluster"}}]}
        ],
    },
]


def test_listeners() -> None:
    found = listeners.select(LISTENERS, options())
    assert listeners.rows(found, verbose=True) == [
        ["127.66.0.5", "1", "ALL", "Non-HTTP/Non-TCP"],
        ["127.66.0.5", "9080", "Trans: tls; App: istio-http/1.1,istio", "Route: inbound"],
        ["127.66.0.5", "9080", "ALL", "Cluster: inbound|9080||"],
        ["127.66.128.5", "15001", "ALL", "Route: 80"],
    ]
    short = listeners.rows(found, verbose=False)
    assert [row[2] for row in short] == ["UNKNOWN", "HTTP+TCP", "HTTP"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"port": 15001}, ["out"]),
        ({"type": "http"}, ["out"]),
        ({"address": "127.66.0.5"}, ["hole", "in"]),
    ],
)
def test_filters_of_listeners(given: dict[str, Any], names: list[str]) -> None:
    assert [one["name"] for one in listeners.select(LISTENERS, options(**given))] == names


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        ({}, "ALL"),
        ({"server_names": ["a", "b"]}, "SNI: a,b"),
        ({"destination_port": 80}, "Addr: *:80"),
        (
            {
                "prefix_ranges": [{"address_prefix": "10.0.0.1", "prefix_len": 32}],
                "destination_port": 80,
            },
            "Addr: 10.0.0.1/32:80",
        ),
        ({"application_protocols": ["http/1.0", "http/1.1", "h2c"]}, "App: HTTP"),
    ],
)
def test_conditions_of_a_filter_chain(match: Json, wanted: str) -> None:
    assert listeners.match({"filter_chain_match": match}) == wanted


DOMAINS = ["reviews", "reviews:9080", "reviews.default", "reviews.default.svc", "10.0.0.1"]
ROUTES = [
    {
        "name": "9080",
        "virtual_hosts": [
            {
                "name": "reviews:9080",
                "domains": DOMAINS,
                "routes": [
                    {"match": {"connect_matcher": {}}, "route": {"cluster": "capture"}},
                    {"match": {"prefix": "/"}, **origin("virtual-service", "reviews")},
                ],
            },
            {
                "name": "any",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "PassthroughCluster"}}],
            },
            {"name": "none", "domains": ["x"], "routes": []},
        ],
    },
    {"name": "80", "virtual_hosts": []},
    {"name": "inbound", "virtual_hosts": []},
]


def test_routes() -> None:
    found = routes.select(ROUTES, options())
    assert [one["name"] for one in found] == ["80", "9080", "inbound"]
    assert routes.rows(found, verbose=True) == [
        ["9080", "reviews:9080", "reviews, reviews.default + 1 more...", "/*", "reviews.default"],
        ["9080", "none", "x", "/*", "404"],
    ]
    assert routes.rows(found, verbose=False)[1] == ["9080", "3"]
    assert [one["name"] for one in routes.select(ROUTES, options(name="80"))] == ["80"]


def test_the_one_outbound_configuration_is_shown_by_ports() -> None:
    hosts = [
        {"name": f"{name}.default.svc.cluster.local:{port}", "domains": [f"{name}:{port}"]}
        for name, port in (("a", 9080), ("b", 80), ("c", 9080))
    ]
    found: list[Json] = [{"name": "outbound", "virtual_hosts": [*hosts, {"name": "block_all"}]}]
    rows = routes.rows(routes.select(found, options()), verbose=True)
    assert [row[0] for row in rows] == ["80", "9080", "9080", "outbound"]
    assert rows[0] == ["80", "b.default.svc.cluster.local:80", "b:80", "/*", "404"]
    assert [row[:2] for row in routes.rows(found, verbose=False)] == [
        ["80", "1"],
        ["9080", "2"],
        ["outbound", "1"],
    ]
    (at_port,) = routes.select(found, options(name="9080"))
    assert [host["name"][0] for host in at_port["virtual_hosts"]] == ["a", "c"]
    assert routes.select(found, options(name="81")) == []
    assert routes.domains(["a:80", "a.default:80"]) == "a, a.default"


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        ({"prefix": "/static"}, "/static*"),
        ({"path": "/productpage"}, "/productpage"),
        ({"path_separated_prefix": "/api"}, "PathPrefix:/api"),
        ({"safe_regex": {"regex": "/a.*"}}, "regex /a.*"),
    ],
)
def test_path_conditions(match: Json, wanted: str) -> None:
    assert routes.match(match) == wanted


def test_a_route_inside_a_listener() -> None:
    one = {
        "virtual_hosts": [
            {"domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]}
        ]
    }
    assert routes.inline(one) == "Cluster: c"
    two = {"virtual_hosts": [{"domains": ["a"], "routes": [{"match": {"path": "/x"}}]}]}
    assert routes.inline(two) == "Inline Route: a /x"


STATUSES = {
    "cluster_statuses": [
        {
            "name": "b",
            "host_statuses": [
                {**address("10.0.0.2", 80), "health_status": {"eds_health_status": "HEALTHY"}},
                {
                    **address("10.0.0.1", 80),
                    "health_status": {"eds_health_status": "HEALTHY", "failed_outlier_check": True},
                },
            ],
        },
        {"name": "a", "host_statuses": [{"address": {"pipe": {"path": "./admin.sock"}}}]},
        {"name": "empty"},
    ]
}


def test_endpoints() -> None:
    assert endpoints.rows(endpoints.select(STATUSES, options())) == [
        ["10.0.0.1:80", "HEALTHY", "FAILED", "b"],
        ["10.0.0.2:80", "HEALTHY", "OK", "b"],
        ["unix://./admin.sock", "UNKNOWN", "OK", "a"],
    ]
    assert len(endpoints.rows(endpoints.select(STATUSES, options(status="healthy")))) == 2
    assert len(endpoints.rows(endpoints.select(STATUSES, options(address="10.0.0.1")))) == 1
    assert endpoints.select(STATUSES, options(cluster="c")) == []


def test_secrets() -> None:
    now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    root = authority.create(now)
    pair = root.issue(names=["x"], lifetime=dt.timedelta(hours=1), now=now)
    found = {
        "configs": [
            {
                "@type": ADMIN + "SecretsConfigDump",
                "dynamic_active_secrets": [
                    {
                        "name": "default",
                        "secret": {
                            "tls_certificate": {
                                "certificate_chain": {"inline_string": pair.certificate}
                            }
                        },
                    },
                    {
                        "name": "ROOTCA",
                        "secret": {
                            "validation_context": {"trusted_ca": {"inline_string": root.root}}
                        },
                    },
                ],
                "dynamic_warming_secrets": [{"name": "kubernetes://late"}],
            }
        ]
    }
    own, roots, late = secrets.rows(found, now)
    assert own[:4] == ["default", "Cert Chain", "ACTIVE", "true"]
    assert own[5:] == ["2026-01-02T01:00:00Z", "2026-01-01T23:58:00Z"]
    assert roots[:4] == ["ROOTCA", "CA", "ACTIVE", "true"]
    assert late[:4] == ["kubernetes://late", "", "WARMING", "false"]
    expired = secrets.rows(found, now + dt.timedelta(days=1))
    assert expired[0][3] == "false"


def test_a_dump_is_taken_apart() -> None:
    parts = {
        "configs": [
            {
                "@type": ADMIN + "ClustersConfigDump",
                "static_clusters": [{"cluster": {"name": "s"}}],
                "dynamic_active_clusters": [{"cluster": {"name": "d"}}],
                "dynamic_warming_clusters": [{"cluster": {"name": "w"}}],
            },
            {
                "@type": ADMIN + "ListenersConfigDump",
                "dynamic_listeners": [
                    {"active_state": {"listener": {"name": "l"}}},
                    {"error_state": {"details": "refused"}},
                ],
            },
        ]
    }
    assert [one["name"] for one in dump.clusters(parts)] == ["d", "s"]
    assert [one["name"] for one in dump.listeners(parts)] == ["l"]
    assert dump.routes(parts) == []


@pytest.mark.parametrize(
    ("level", "wanted"),
    [
        ("debug", ["level=debug"]),
        ("http:debug,rbac=trace", ["http=debug", "rbac=trace"]),
        ("", []),
    ],
)
def test_log_levels(level: str, wanted: list[str]) -> None:
    assert logs.queries(level, reset=False) == wanted
    assert logs.queries(level, reset=True) == ["level=warning"]


def test_an_unknown_log_level_is_refused() -> None:
    with pytest.raises(Failure, match="unrecognized logging level: loud"):
        logs.queries("http:loud", reset=False)


def status(state: str, **more: Any) -> Json:
    return {"status": state, "sentTime": dt.datetime.now(dt.UTC).isoformat(), **more}


def entry() -> Json:
    """A proxy that has refused a listener and is behind with its routes, as of now."""
    return {
        "proxy": "reviews-v1.default",
        "cluster_id": "Kubernetes",
        "istiod": "istiod-1",
        "istio_version": "1.30.4",
        "namespace": "default",
        "resources": {
            "CDS": status("SYNCED"),
            "EDS": status("SYNCED"),
            "LDS": status("ERROR", lastError="no such filter"),
            "RDS": status("STALE"),
            "ECDS": {"status": "IGNORED"},
            "SDS": {"status": "NOT SENT"},
        },
    }


def test_proxy_status() -> None:
    header, row = proxy_status.rows([entry()], verbose=False)
    assert header[-1] == "SUBSCRIBED TYPES"
    assert row == [
        "reviews-v1.default",
        "Kubernetes",
        "istiod-1",
        "1.30.4",
        "5 (CDS,LDS,EDS,RDS,SDS)",
    ]
    header, row = proxy_status.rows([entry()], verbose=True)
    row = [cell.replace("(1s)", "(0s)") for cell in row]
    assert header == ["NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ECDS", "ISTIOD", "VERSION"]
    assert row[2:7] == ["SYNCED (0s)", "ERROR (0s)", "SYNCED (0s)", "STALE (0s)", "IGNORED"]
    assert proxy_status.differences(entry()) == [
        "Clusters Match",
        "Listeners Don't Match",
        "  Envoy refused the last update: no such filter",
        "Routes Don't Match",
    ]
    assert proxy_status.refusals([entry()]) == ["reviews-v1.default: LDS refused: no such filter"]


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (3, "3s"),
        (119, "119s"),
        (130, "2m10s"),
        (180, "3m"),
        (1200, "20m"),
        (20000, "5h"),
        (200000, "2d"),
    ],
)
def test_ages_as_kubectl_writes_them(seconds: float, wanted: str) -> None:
    assert proxy_status._human(seconds) == wanted


def test_a_dump_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "dump.json"
    part = {
        "@type": ADMIN + "ClustersConfigDump",
        "static_clusters": [{"cluster": one} for one in CLUSTERS],
    }
    file.write_text(json.dumps({"configs": [part]}))
    assert main(["proxy-config", "cluster", "--file", str(file), "--subset", "v1"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.startswith("SERVICE FQDN")
    assert row.split()[-1] == "reviews.default"
    assert main(["pc", "c", "--file", str(file), "-o", "yaml", "--subset", "v1"]) == 0
    assert "destination-rule/reviews" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["pc", "cluster"], 1, "Error: cluster requires pod name or --file parameter"),
        (["pc", "cluster", "-f", "/nowhere"], 1, "Error: error reading config dump"),
        (["-c", "/nowhere", "ps"], 1, "Error: The kubeconfig /nowhere does not lead to a cluster"),
        (["ps", "-c", "/nowhere", "-o", "xml"], 1, "Error: output format 'xml' not supported"),
        (["uninstall"], 1, "Error: at least one of the --revision"),
        (["install", "--set", "profil=demo", "-y"], 1, "unknown field 'profil'"),
        (["kube-inject", "-f", "/nowhere"], 1, "Error: could not read /nowhere"),
        (["frobnicate"], 64, 'unknown command "frobnicate" for "istioctl"'),
    ],
)
def test_errors_say_what_is_wrong(
    words: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    assert text in capsys.readouterr().err


def test_kube_inject_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pod = {"containers": [{"name": "app", "image": "x"}]}
    job = {"spec": {"template": {"spec": pod}}}
    documents = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}},
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "nightly"},
            "spec": {"jobTemplate": job},
        },
    ]
    given = tmp_path / "in.json"
    given.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    empty = tmp_path / "empty.yaml"
    empty.write_text("{}")
    files = ["--valuesFile", str(empty), "--meshConfigFile", str(empty)]
    assert main(["kube-inject", "-f", str(given), *files]) == 0
    out = capsys.readouterr().out
    assert "name: istio-proxy" in out
    assert "namespaces/default/cronjobs/nightly" in out
