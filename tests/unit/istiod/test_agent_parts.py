"""The agent's pure parts: settings, bootstrap, metrics, what counts as a request under way."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, message_factory

from meshcourse.embedded.istiod.agent import (
    bootstrap,
    certificates,
    child,
    envoy,
    place,
    settings,
    stats,
    supervisor,
)
from meshcourse.embedded.istiod.ca import authority
from meshcourse.embedded.istiod.xds import descriptors

ENV = {
    "POD_NAME": "reviews-v1-abc",
    "POD_NAMESPACE": "default",
    "MESHCOURSE_POD_IP": "127.66.0.5",
    "SERVICE_ACCOUNT": "bookinfo-reviews",
    "ISTIO_META_WORKLOAD_NAME": "reviews-v1",
    "ISTIO_META_POD_PORTS": '[{"containerPort":9080}]',
    "CA_ADDR": "istiod-canary.istio-system.svc:15012",
}


def read(tmp_path: Path, *words: str, **more: str) -> settings.Settings:
    env = {**ENV, "MESHCOURSE_ROOT": str(tmp_path), **more}
    return settings.read(["proxy", *(words or ("sidecar",))], env)


def write(tmp_path: Path, what: str, text: str) -> None:
    path = tmp_path / "etc/istio/pod" / what
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_settings_come_from_environment_labels_and_arguments(tmp_path: Path) -> None:
    write(tmp_path, "labels", 'app="reviews"\nversion="v1"\n')
    write(tmp_path, "annotations", 'a="with \\"quotes\\""\n')
    found = read(tmp_path, "sidecar", "--proxyLogLevel=debug")
    assert found.node_id == ("sidecar~127.66.0.5~reviews-v1-abc.default~default.svc.cluster.local")
    assert found.ca_address == ("istiod-canary.istio-system.svc", 15012)
    assert (found.canonical_service, found.canonical_revision) == ("reviews", "v1")
    assert found.annotations == {"a": 'with "quotes"'}
    assert found.log_level == "debug"
    assert found.metadata["POD_PORTS"] == [{"containerPort": 9080}]
    assert found.metadata["SERVICE_ACCOUNT"] == "bookinfo-reviews"


def test_a_pod_without_labels_is_called_after_its_workload(tmp_path: Path) -> None:
    found = read(tmp_path, "router")
    assert found.kind == "router"
    assert (found.canonical_service, found.canonical_revision) == ("reviews-v1", "latest")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("24h", 86400.0), ("1m30s", 90.0), ("250ms", 0.25), ("1.5s", 1.5), ("2d", 172800.0)],
)
def test_durations_as_go_writes_them(text: str, wanted: float) -> None:
    assert settings.seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "5", "s", "5 parsecs", "1h5"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        settings.seconds(text)


def test_envoy_would_accept_the_bootstrap(tmp_path: Path) -> None:
    """Every field exists and fits (Envoy itself is asked in the integration tests)."""
    config = bootstrap.build(read(tmp_path), ("127.66.200.1", 15012), ("127.66.0.5", 15021))
    message = message_factory.GetMessageClass(
        descriptors.find("envoy.config.bootstrap.v3.Bootstrap")
    )
    for name in (
        "envoy.extensions.access_loggers.stats.v3",
        "envoy.extensions.transport_sockets.tls.v3",
        "envoy.extensions.upstreams.http.v3",
        "envoy.extensions.bootstrap.internal_listener.v3",
        "envoy.extensions.filters.http.router.v3",
        "envoy.extensions.filters.network.http_connection_manager.v3",
        "envoy.extensions.resource_monitors.downstream_connections.v3",
    ):
        descriptors._import_package(name)
    (listener,) = config["static_resources"]["listeners"]
    (manager,) = listener["filter_chains"][0]["filters"]
    (logger,) = manager["typed_config"]["access_log"]
    del logger["typed_config"]["stats_scope"]  # newer than the protos
    parsed = json_format.ParseDict(config, message())
    assert parsed.admin.address.pipe.mode == 0o600
    assert [cluster.name for cluster in parsed.static_resources.clusters] == [
        "xds-grpc",
        "prometheus_stats",
        "fluentd",
    ]


def patterns(tmp_path: Path, **more: str) -> list[Any]:
    config = bootstrap.build(read(tmp_path, **more), ("h", 1), ("h", 2))
    found: list[Any] = config["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]
    return found


def test_more_statistics_on_request(tmp_path: Path) -> None:
    assert {"prefix": "cluster.outbound"} not in patterns(tmp_path)
    text = 'sidecar.istio.io/statsInclusionPrefixes="cluster.outbound,listener"\n'
    write(tmp_path, "annotations", text)
    assert {"prefix": "cluster.outbound"} in patterns(tmp_path)
    config = json.dumps({"proxyStatsMatcher": {"inclusionSuffixes": ["upstream_rq_pending"]}})
    assert {"suffix": "upstream_rq_pending"} in patterns(tmp_path, PROXY_CONFIG=config)


def test_envoys_environment_says_who_it_is_and_has_no_proxy(tmp_path: Path) -> None:
    write(tmp_path, "labels", 'app="reviews"\n')
    env = envoy.environment(read(tmp_path), {"https_proxy": "x", "HTTP_PROXY": "y", "KEEP": "z"})
    assert env["CANONICAL_SERVICE"] == "reviews"
    assert env["ISTIO_META_VERSION"] == "unknown"
    assert env["KEEP"] == "z"
    assert not [name for name in env if name.lower().endswith("_proxy")]


def test_a_mapped_port_is_the_pods_own(tmp_path: Path) -> None:
    env = {"MESHCOURSE_POD_IP": "127.0.0.1", "MESHCOURSE_PORTS": '{"15021": [31000, 31001]}'}
    assert place.listen(15021, env) == ("127.0.0.1", 31000)
    assert place.application(15021, env) == ("127.0.0.1", 31001)
    assert place.listen(15090, env) == ("127.0.0.1", 15090)


TEXT = (
    b"# TYPE envoy_wasmcustom_istio_requests_total counter\nenvoy_wasmcustom_istio_x 1\nenvoy_y 2"
)


@pytest.mark.parametrize("size", [1, 7, 20, 1000])
def test_the_prefix_goes_however_the_text_is_cut(size: int) -> None:
    pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    found = b"".join(stats.strip(pieces))
    assert found == TEXT.replace(b"envoy_wasmcustom_", b"")
    assert b"wasmcustom" not in found


@pytest.mark.parametrize(
    ("line", "busy"),
    [
        ("http.inbound_0.0.0.0_9080;.downstream_rq_active: 1", True),
        ("http.inbound_0.0.0.0_9080;.downstream_rq_active: 0", False),
        ("http.inbound_0.0.0.0_9080;.downstream_cx_active: 5", False),
        ("http.admin.downstream_rq_active: 1", False),
        ("http.agent.downstream_rq_active: 1", False),
        ("tcp.mongo.downstream_cx_active: 2", True),
        ("listener.admin.downstream_cx_active: 1", False),
    ],
)
def test_what_counts_as_a_request_under_way(line: str, busy: bool) -> None:
    assert supervisor._counts(line) is busy


def test_a_certificate_is_renewed_when_so_much_of_its_life_is_left() -> None:
    now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    pair = authority.create(now).issue(lifetime=dt.timedelta(hours=2), now=now)
    granted = certificates.Granted(pair.key, (pair.certificate, "root"), ("h", 1))
    assert granted.renew_at(0.5) == (now + dt.timedelta(hours=1)).timestamp()
    assert granted.renew_at(0.25) == (now + dt.timedelta(minutes=90)).timestamp()


def test_secrets_are_private_and_complete(tmp_path: Path) -> None:
    own, roots = tmp_path / "sds/default.json", tmp_path / "sds/rootca.json"
    certificates.write(certificates.Granted("KEY", ("LEAF", "ROOT"), ("h", 1)), own, roots)
    assert own.stat().st_mode & 0o777 == 0o600
    assert own.parent.stat().st_mode & 0o777 == 0o700
    (secret,) = json.loads(own.read_text())["resources"]
    assert secret["tls_certificate"]["private_key"]["inline_string"] == "KEY"
    assert "ROOT" in roots.read_text()
    assert sorted(os.listdir(own.parent)) == ["default.json", "rootca.json"]


def test_work_in_a_child_returns_its_value_or_its_error() -> None:
    assert child.run(lambda: {"pid": 1}) == {"pid": 1}
    with pytest.raises(child.ChildError, match="no such thing"):
        child.run(lambda: (_ for _ in ()).throw(ValueError("no such thing")))
    with pytest.raises(child.ChildError, match="died"):
        child.run(lambda: os._exit(3))


def test_the_machine_s_roots_are_kept_beside_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, kept = tmp_path / "bundle.crt", tmp_path / "system.pem"
    bundle.write_text("everybody's roots")
    monkeypatch.setattr(certificates, "_system_roots", lambda: ["", "/no/such", str(bundle)])
    for _ in range(2):  # renewals repeat it
        certificates.keep_system_roots(kept, "our root")
        assert kept.read_text() == "everybody's roots"
    monkeypatch.setattr(certificates, "_system_roots", lambda: ["/no/such"])
    certificates.keep_system_roots(kept, "our root")
    assert kept.read_text() == "our root"
    assert bundle.read_text() == "everybody's roots"
